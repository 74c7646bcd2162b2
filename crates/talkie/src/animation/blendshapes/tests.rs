use std::sync::Arc;

use proptest::prelude::*;

use super::{dense::dot, *};

/// Shapes of `vertices` vertices in a box of about 30 by 40 by 20, from numbers that are the same every time.
fn shapes(vertices: usize, poses: usize, mask: Option<Vec<u32>>) -> Arc<BlendshapeData> {
    let mut seed = 7_u64;
    let mut random = move || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    let neutral = (0..3 * vertices).map(|at| random() * [15.0, 20.0, 10.0][at % 3]).collect();
    let deltas = (0..3 * vertices * poses).map(|_| random()).collect();
    let names = (0..poses).map(|pose| format!("pose{pose}")).collect();
    Arc::new(BlendshapeData::new(neutral, deltas, mask, names).unwrap())
}

fn evaluated(data: &BlendshapeData, weights: &[f32]) -> Vec<f32> {
    let mut vertices = vec![0.0; data.neutral().len()];
    data.evaluate_pose(weights, &mut vertices).unwrap();
    vertices
}

fn solver(data: &Arc<BlendshapeData>, parameters: BlendshapeParameters) -> BlendshapeSolver {
    let mut solver = BlendshapeSolver::new(data.clone());
    solver.set_parameters(parameters).unwrap();
    solver.prepare().unwrap();
    solver
}

fn solved(solver: &mut BlendshapeSolver, target: &[f32]) -> Vec<f32> {
    let mut weights = vec![f32::NAN; solver.data().pose_count()];
    solver.solve(target, &mut weights).unwrap();
    weights
}

fn furthest(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).fold(0.0, |most, (a, b)| most.max((a - b).abs()))
}

const FREE: BlendshapeParameters = BlendshapeParameters {
    strength_l1_regularization: 0.0,
    strength_l2_regularization: 0.0,
    strength_symmetry: 0.0,
    strength_temporal_smoothing: 0.0,
    template_bb_size: 54.7,
    tolerance: 1e-10,
    formulation: Formulation::Official,
};

/// The reconstruction that the official tests ask for: within 0.2 units of every vertex on the average.
#[test]
fn a_pose_made_of_weights_is_found_again() {
    for (poses, chosen) in [
        (52, &[(14, 0.156), (19, 0.670), (20, 0.479), (23, 0.074), (24, 0.076), (39, 0.121), (40, 0.120)][..]),
        (16, &[(2, 0.156), (3, 0.670), (5, 0.479), (7, 0.074), (11, 0.076), (13, 0.121)]),
        (180, &[(14, 0.156), (25, 0.670), (47, 0.479), (73, 0.074), (125, 0.076), (150, 0.121), (163, 0.120)]),
    ] {
        let data = shapes(300, poses, None);
        let mut weights = vec![0.0; poses];
        chosen.iter().for_each(|(pose, weight)| weights[*pose] = *weight);
        let target = evaluated(&data, &weights);
        let (l1, l2) = (0.5, 0.7);
        let mut solver = solver(
            &data,
            BlendshapeParameters { strength_l1_regularization: l1, strength_l2_regularization: l2, ..FREE },
        );
        let found = evaluated(&data, &solved(&mut solver, &target));
        let distance: f32 = target
            .chunks_exact(3)
            .zip(found.chunks_exact(3))
            .map(|(a, b)| a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f32>().sqrt())
            .sum();
        assert!(distance / 300.0 <= 0.2, "{poses} poses: {}", distance / 300.0);
        let exact = solved(&mut self::solver(&data, FREE), &target);
        assert!(furthest(&exact, &weights) < 1e-4, "{poses} poses: {}", furthest(&exact, &weights));
    }
}

#[test]
fn changes_ask_for_preparation_but_multipliers_and_offsets_do_not() {
    let data = shapes(20, 4, None);
    let mut solver = BlendshapeSolver::new(data.clone());
    let mut weights = [0.0; 4];
    let target = evaluated(&data, &[0.3, 0.0, 0.6, 0.1]);
    assert_eq!(solver.solve(&target, &mut weights), Err(BlendshapeError::NotPrepared));
    solver.prepare().unwrap();
    assert_eq!(solver.solve(&target, &mut weights), Ok(()));
    solver.set_multipliers(&[0.0, 1.0, 2.0, 1.0]).unwrap();
    solver.set_offsets(&[0.314_159, 0.0, 0.0, 0.0]).unwrap();
    let before = weights;
    assert_eq!(solver.solve(&target, &mut weights), Ok(()));
    assert_eq!(weights[0], 0.314_159);
    assert_eq!(weights[2], 2.0 * before[2]);
    solver
        .set_config(BlendshapeConfig { active_poses: vec![true, false, true, true], ..BlendshapeConfig::new(4) })
        .unwrap();
    assert_eq!(solver.active_poses(), None);
    assert_eq!(solver.solve_right_hand_side(&[0.0; 3], &mut weights), Err(BlendshapeError::NotPrepared));
    solver.prepare().unwrap();
    assert_eq!(solver.active_poses(), Some(&[0, 2, 3][..]));
    solver.set_offsets(&[0.0, 0.25, 0.0, 0.0]).unwrap();
    assert_eq!(solved(&mut solver, &target)[1], 0.25);
    solver.set_parameters(FREE).unwrap();
    assert_eq!(solver.solve(&target, &mut weights), Err(BlendshapeError::NotPrepared));
}

#[test]
fn a_frame_that_fails_leaves_no_trace() {
    let data = shapes(20, 4, None);
    let parameters = BlendshapeParameters { strength_temporal_smoothing: 5.0, ..Default::default() };
    let mut solver = solver(&data, parameters);
    let target = evaluated(&data, &[0.3, 0.0, 0.6, 0.1]);
    solved(&mut solver, &target);
    let mut other = solver.clone();
    let mut broken = target.clone();
    broken[7] = f32::NAN;
    let mut weights = [0.5; 4];
    let error = solver.solve(&broken, &mut weights).unwrap_err().to_string();
    assert!(error.contains("the target: value 7 is NaN"), "{error}");
    let error = solver.solve(&target[1..], &mut weights).unwrap_err().to_string();
    assert!(error.contains("the target: 59 values; expected 60"), "{error}");
    let error = solver.solve(&target, &mut weights[1..]).unwrap_err().to_string();
    assert!(error.contains("the weights: 3 values; expected 4"), "{error}");
    let huge = vec![f32::MAX; 60];
    assert!(matches!(solver.solve(&huge, &mut weights), Err(BlendshapeError::NotFinite { .. })));
    assert_eq!(weights, [0.5; 4]);
    assert_eq!(solved(&mut solver, &target), solved(&mut other, &target));
}

#[test]
fn the_past_counts_until_a_reset() {
    let data = shapes(20, 4, None);
    let parameters = BlendshapeParameters { strength_temporal_smoothing: 5.0, ..Default::default() };
    let mut solver = solver(&data, parameters);
    let target = evaluated(&data, &[0.3, 0.0, 0.6, 0.1]);
    let first = solved(&mut solver, &target);
    let second = solved(&mut solver, &target);
    assert!(furthest(&first, &second) > 1e-5, "{first:?} {second:?}");
    let mut other = solver.clone();
    solver.reset();
    assert_eq!(solved(&mut solver, &target), first);
    other.prepare().unwrap();
    assert_eq!(solved(&mut other, &target), first);
}

#[test]
fn the_natural_formulation_smooths_without_making_smaller() {
    let data = shapes(40, 6, None);
    let unsmoothed = BlendshapeParameters { formulation: Formulation::Natural, ..Default::default() };
    let smoothed = BlendshapeParameters { strength_temporal_smoothing: 2.0, ..unsmoothed };
    let target = evaluated(&data, &[0.3, -0.2, 0.6, 0.1, 1.3, 0.0]);
    let want = solved(&mut solver(&data, unsmoothed), &target);
    let mut natural = solver(&data, smoothed);
    assert_eq!(solved(&mut natural, &target), want, "nothing to be smoothed towards");
    solved(&mut natural, data.neutral());
    let way: Vec<f32> = (0..100).map(|_| furthest(&solved(&mut natural, &target), &want)).collect();
    assert!(way[0] > 0.05 && way.windows(2).all(|pair| pair[1] <= pair[0] + 1e-6), "{way:?}");
    assert!(way[99] < 1e-4, "{}", way[99]);
    let mut official = solver(&data, BlendshapeParameters { formulation: Formulation::Official, ..smoothed });
    let steady = (0..100).map(|_| solved(&mut official, &target)).next_back().unwrap();
    assert!(furthest(&steady, &want) > 0.05);
}

#[test]
fn of_a_cancel_pair_the_weaker_goes_and_of_equals_the_second() {
    let data = shapes(40, 4, None);
    let mut solver = solver(&data, FREE);
    solver.set_config(BlendshapeConfig { cancel_poses: vec![4, 4, 9, 9], ..BlendshapeConfig::new(4) }).unwrap();
    solver.prepare().unwrap();
    assert_eq!(solver.cancel_pairs(), Some(&[[0, 1], [2, 3]][..]));
    let weights = solved(&mut solver, &evaluated(&data, &[0.2, 0.7, 2.0, 2.0]));
    assert!(weights[0] <= 1e-10 && weights[1] > 0.5, "{weights:?}");
    assert!(weights[2] > 0.9 && weights[3] <= 1e-10, "{weights:?}");
}

#[test]
fn a_pair_is_an_id_that_two_active_poses_have() {
    let ids = [5, -1, 5, 7, 7, -1, 8, 8, 8];
    let pairs = |formulation: Formulation, active: &[usize]| formulation.pairs(&ids, active);
    assert_eq!(pairs(Formulation::Natural, &[0, 1, 2, 3, 4, 5, 6, 7, 8]), [[0, 2], [3, 4]]);
    assert_eq!(pairs(Formulation::Official, &[0, 1, 2, 3, 4, 5, 6, 7, 8]), [[0, 2], [1, 5], [3, 4]]);
    assert_eq!(pairs(Formulation::Official, &[0, 3, 4, 5, 6, 8]), [[1, 2], [4, 5]]);
}

#[test]
fn a_mask_chooses_vertices_and_a_vertex_named_twice_counts_twice() {
    let (all, masked) = (shapes(10, 3, None), shapes(10, 3, Some(vec![8, 2, 8])));
    let mut solver = solver(&masked, FREE);
    let active = solver.active_deltas().unwrap();
    assert_eq!(active.len(), 27);
    let delta = all.delta(1).unwrap();
    assert_eq!(active[9..18], [&delta[24..27], &delta[6..9], &delta[24..27]].concat());
    let mut target = evaluated(&masked, &[0.2, 0.4, 0.6]);
    target[..6].fill(99.0);
    assert!(furthest(&solved(&mut solver, &target), &[0.2, 0.4, 0.6]) < 1e-4);
}

#[test]
fn what_makes_no_sense_is_refused_with_its_place() {
    let names = |names: &[&str]| names.iter().map(|name| String::from(*name)).collect::<Vec<_>>();
    let refused = |result: Result<BlendshapeData, BlendshapeError>, says: &str| {
        let error = result.unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    };
    refused(BlendshapeData::new(vec![0.0; 4], vec![], None, names(&["a"])), "the neutral mesh: 4 values");
    refused(BlendshapeData::new(vec![0.0; 3], vec![0.0; 5], None, names(&["a", "b"])), "the deltas: 5 values");
    refused(BlendshapeData::new(vec![0.0; 3], vec![], None, vec![]), "the list of poses: 0 values");
    refused(BlendshapeData::new(vec![0.0; 3], vec![0.0; 6], None, names(&["a", "a"])), "\"a\"");
    refused(BlendshapeData::new(vec![0.0; 3], vec![0.0; 3], Some(vec![0, 1]), names(&["a"])), "vertex 1 at place 1");
    refused(BlendshapeData::new(vec![0.0; 3], vec![0.0; 3], Some(vec![]), names(&["a"])), "the mask: 0 values");
    refused(BlendshapeData::new(vec![0.0; 3], vec![f32::INFINITY; 3], None, names(&["a"])), "value 0 is inf");

    let sound = BlendshapeConfig::new(3);
    assert_eq!(sound.validate(3), Ok(()));
    for (config, says) in [
        (BlendshapeConfig { active_poses: vec![false; 3], ..sound.clone() }, "no pose is active"),
        (BlendshapeConfig { cancel_poses: vec![2, -1, -1], ..sound.clone() }, "cancel_poses: id 2 occurs 1 times"),
        (BlendshapeConfig { symmetry_poses: vec![2; 3], ..sound.clone() }, "symmetry_poses: id 2 occurs 3 times"),
        (BlendshapeConfig { offsets: vec![0.0, f32::NAN, 0.0], ..sound.clone() }, "offsets: value 1 is NaN"),
        (BlendshapeConfig { multipliers: vec![1.0; 2], ..sound }, "multipliers: 2 values; expected 3"),
    ] {
        let error = config.validate(3).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
    for (parameters, says) in [
        (BlendshapeParameters { strength_l2_regularization: -0.1, ..FREE }, "strength_l2_regularization is -0.1"),
        (
            BlendshapeParameters { template_bb_size: 0.5, ..FREE },
            "template_bb_size is 0.5; expected a finite number of at least 1",
        ),
        (BlendshapeParameters { strength_symmetry: f32::NAN, ..FREE }, "strength_symmetry is NaN"),
    ] {
        let error = parameters.validate().unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
    assert_eq!(BlendshapeParameters::default().validate(), Ok(()));
}

fn bounded(matrix: &[f64], right: &[f64], upper: f64, objective: Objective, start: &mut ActiveSet) -> Vec<f64> {
    let size = right.len();
    let mut x = vec![f64::NAN; size];
    let mut solver = BoundedSolver::new(matrix, size, objective).unwrap();
    solver.solve(right, &vec![0.0; size], &vec![upper; size], start, &mut x).unwrap();
    x
}

/// The smallest distance from a minimum: how far the objective still falls per unit along any direction that is open.
fn violation(matrix: &[f64], right: &[f64], x: &[f64], upper: f64, objective: Objective) -> f64 {
    let residual: Vec<f64> = matrix.chunks_exact(x.len()).zip(right).map(|(row, right)| right - dot(row, x)).collect();
    let descent: Vec<f64> = match objective {
        Objective::Energy => residual,
        Objective::Residual => (0..x.len())
            .map(|column| {
                matrix.chunks_exact(x.len()).zip(&residual).map(|(row, residual)| row[column] * residual).sum()
            })
            .collect(),
    };
    let open = |(x, descent): (&f64, &f64)| match *x {
        x if x <= 0.0 => descent.max(0.0),
        x if x >= upper => (-descent).max(0.0),
        _ => descent.abs(),
    };
    x.iter().zip(&descent).map(open).fold(0.0, f64::max)
}

/// A symmetric matrix without negative eigenvalues: `BᵀB`, where `B` has `rank` rows, plus a ridge.
fn symmetric(entries: &[f64], size: usize, rank: usize, ridge: f64) -> Vec<f64> {
    let entry = |at: usize| {
        let (row, column) = (at / size, at % size);
        let product: f64 = (0..rank).map(|k| entries[k * size + row] * entries[k * size + column]).sum();
        product + if row == column { ridge } else { 0.0 }
    };
    (0..size * size).map(entry).collect()
}

proptest! {
    #[test]
    fn the_minimum_is_one(
        entries in prop::collection::vec(-1.0_f64..1.0, 144),
        right in prop::collection::vec(-3.0_f64..3.0, 12),
        other in prop::collection::vec(-3.0_f64..3.0, 12),
        energy in any::<bool>(),
    ) {
        let objective = if energy { Objective::Energy } else { Objective::Residual };
        let matrix = symmetric(&entries, 12, 12, 0.05);
        let x = bounded(&matrix, &right, 1.0, objective, &mut ActiveSet::default());
        prop_assert!(x.iter().all(|x| (0.0..=1.0).contains(x)), "{:?}", x);
        prop_assert!(violation(&matrix, &right, &x, 1.0, objective) < 1e-7);
        let mut start = ActiveSet::default();
        bounded(&matrix, &other, 1e-10, objective, &mut start);
        for (warm, cold) in bounded(&matrix, &right, 1.0, objective, &mut start).iter().zip(&x) {
            prop_assert!((warm - cold).abs() < 1e-8);
        }
    }

    #[test]
    fn a_minimum_is_found_where_there_are_many(
        entries in prop::collection::vec(-1.0_f64..1.0, 144),
        right in prop::collection::vec(-3.0_f64..3.0, 12),
        rank in 0_usize..12,
        energy in any::<bool>(),
    ) {
        let objective = if energy { Objective::Energy } else { Objective::Residual };
        let matrix = symmetric(&entries, 12, rank, 0.0);
        // An energy has a minimum only if nothing pulls where nothing holds.
        let right: Vec<f64> = matrix.chunks_exact(12).map(|row| dot(row, &right)).collect();
        let x = bounded(&matrix, &right, 1.0, objective, &mut ActiveSet::default());
        prop_assert!(x.iter().all(|x| (0.0..=1.0).contains(x)), "{:?}", x);
        prop_assert!(violation(&matrix, &right, &x, 1.0, objective) < 1e-6);
    }

    #[test]
    fn a_minimum_is_found_where_columns_are_all_but_the_same(
        mut entries in prop::collection::vec(-1.0_f64..1.0, 144),
        right in prop::collection::vec(-3.0_f64..3.0, 12),
        rank in 2_usize..12,
        digits in prop::collection::vec(0_i32..10, 6),
        energy in any::<bool>(),
    ) {
        let objective = if energy { Objective::Energy } else { Objective::Residual };
        for row in entries.chunks_exact_mut(12) {
            for (pair, digits) in row.chunks_exact_mut(2).zip(&digits) {
                pair[1] = pair[0] + pair[1] * 10.0_f64.powi(-digits);
            }
        }
        let matrix = symmetric(&entries, 12, rank, 0.0);
        let right: Vec<f64> = matrix.chunks_exact(12).map(|row| dot(row, &right)).collect();
        let x = bounded(&matrix, &right, 1.0, objective, &mut ActiveSet::default());
        prop_assert!(x.iter().all(|x| (0.0..=1.0).contains(x)), "{:?}", x);
        prop_assert!(violation(&matrix, &right, &x, 1.0, objective) < 1e-6);
    }

    #[test]
    fn weights_are_between_their_bounds_whatever_the_mesh(
        target in prop::collection::vec(-1e6_f32..1e6, 30),
        natural in any::<bool>(),
        l2 in 0.0_f32..5.0,
    ) {
        let data = shapes(10, 5, None);
        let formulation = if natural { Formulation::Natural } else { Formulation::Official };
        let parameters = BlendshapeParameters { strength_l2_regularization: l2, formulation, ..Default::default() };
        let weights = solved(&mut solver(&data, parameters), &target);
        prop_assert!(weights.iter().all(|weight| (0.0..=1.0).contains(weight)), "{:?}", weights);
    }
}

#[test]
fn twins_share_the_weight_and_nothing_at_all_gives_nothing() {
    // Columns 0 and 2 are the same.
    let matrix = [2.0, 1.0, 2.0, 1.0, 3.0, 1.0, 2.0, 1.0, 2.0];
    let solver = BoundedSolver::new(&matrix, 3, Objective::Residual).unwrap();
    assert!(solver.is_singular());
    let x = bounded(&matrix, &[2.0, 2.0, 2.0], 1.0, Objective::Residual, &mut ActiveSet::default());
    assert!(x.iter().zip([0.4, 0.4, 0.4]).all(|(x, want)| (x - want).abs() < 1e-9), "{x:?}");
    assert_eq!(bounded(&[0.0; 9], &[1.0; 3], 1.0, Objective::Residual, &mut ActiveSet::default()), [0.0; 3]);
}

/// Of the second derivatives of three variables that end up free, one eigenvalue is 3e-7 of the largest: nothing in single
/// precision, and the only way down.
#[test]
fn a_slope_that_single_precision_does_not_see_is_followed() {
    let rows = [
        [-0.2882, -0.8245, 0.9, 0.0, -0.5778, 0.4081, 0.0, 0.0, 0.0],
        [-0.883, -0.5386, 0.8364, 0.0, -0.5229, 0.9883, -0.5802, 0.5184, 0.0],
        [0.0, 0.0, -0.9359, 0.285, 0.5839, 0.0, 0.6248, -0.9212, 0.7797],
    ];
    let pulls = [2.7251, -1.2552, -2.1102, 0.0, 0.0, 0.0, 0.3774, 2.3008, -1.0067];
    let matrix = symmetric(rows.as_flattened(), 9, 3, 0.0);
    let right: Vec<f64> = matrix.chunks_exact(9).map(|row| dot(row, &pulls)).collect();
    let x = bounded(&matrix, &right, 1.0, Objective::Energy, &mut ActiveSet::default());
    assert!(x.iter().all(|x| (0.0..=1.0).contains(x)), "{x:?}");
    let violation = violation(&matrix, &right, &x, 1.0, Objective::Energy);
    assert!(violation < 1e-6, "{violation}");
}

#[test]
fn a_pull_that_nothing_holds_ends_at_a_bound() {
    let x = bounded(&[0.0; 4], &[1.0, -1.0], 1.0, Objective::Energy, &mut ActiveSet::default());
    assert_eq!(x, [1.0, 0.0]);
    let x = bounded(&[2.0, 2.0, 2.0, 2.0], &[1.0, 1.1], 1.0, Objective::Energy, &mut ActiveSet::default());
    assert!(x.iter().zip([0.0, 0.55]).all(|(x, want)| (x - want).abs() < 1e-9), "{x:?}");
}

#[test]
fn a_large_tolerance_stops_early_but_within_the_bounds() {
    let entries: Vec<f64> = (0..64).map(|at| (at as f64 * 1.7).sin()).collect();
    let matrix = symmetric(&entries, 8, 8, 0.05);
    let right: Vec<f64> = (0..8).map(|at| 3.0 * (at as f64 * 2.3).cos()).collect();
    let solve = |tolerance: f64| {
        let mut x = vec![0.0; 8];
        let mut solver = BoundedSolver::new(&matrix, 8, Objective::Residual).unwrap().with_tolerance(tolerance);
        solver.solve(&right, &[0.0; 8], &[1.0; 8], &mut ActiveSet::default(), &mut x).unwrap();
        (violation(&matrix, &right, &x, 1.0, Objective::Residual), x)
    };
    let (exact, official, coarse) = (solve(0.0), solve(2e-6), solve(1e3));
    assert!(exact.0 < 1e-9 && official.0 < 1e-5);
    assert!(exact.1.iter().zip(&official.1).all(|(a, b)| (a - b).abs() < 1e-5));
    assert!(coarse.1.iter().all(|x| (0.0..=1.0).contains(x)));
}

#[test]
fn problems_that_are_none_are_refused() {
    let refused = |error: BoundedError, says: &str| assert!(error.to_string().contains(says), "{error}");
    refused(
        BoundedSolver::new(&[1.0; 5], 2, Objective::Residual).unwrap_err(),
        "5 values cannot be square with 2 rows",
    );
    refused(BoundedSolver::new(&[], 0, Objective::Residual).unwrap_err(), "0 rows");
    refused(BoundedSolver::new(&[1.0, f64::NAN, 0.0, 1.0], 2, Objective::Energy).unwrap_err(), "value 1");
    refused(BoundedSolver::new(&[1e200], 1, Objective::Residual).unwrap_err(), "the squared matrix");
    let mut solver = BoundedSolver::new(&[1.0, 0.0, 0.0, 1.0], 2, Objective::Residual).unwrap();
    let mut solve = |right: &[f64], lower: &[f64], upper: &[f64]| {
        solver.solve(right, lower, upper, &mut ActiveSet::default(), &mut [0.0; 2]).unwrap_err()
    };
    refused(solve(&[1.0], &[0.0; 2], &[1.0; 2]), "the right-hand side: 1 values; expected 2");
    refused(solve(&[1.0; 2], &[0.0, 2.0], &[1.0; 2]), "variable 1: the lower bound 2 is above the upper bound 1");
    refused(solve(&[1.0; 2], &[0.0; 2], &[1.0, f64::NAN]), "the upper bound: value 1");
}
