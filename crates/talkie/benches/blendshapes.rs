//! What a frame of the blendshape solve costs, with the sizes of an official skin: 61 520 vertices of which a mask leaves
//! 10 085, and 52 poses of which 43 are active.
//!
//! A frame is `right_hand_side` (the mesh comes down to 43 numbers) and `solve` (these become weights). Times are those of
//! one frame, the mean over 60 frames of a second of speech. `official_method` solves the same frames in the way of the official
//! runtime, with dense decompositions again and again.

use std::{hint::black_box, sync::Arc};

use divan::{Bencher, counter::ItemsCount};
use talkie::animation::blendshapes::{
    BlendshapeConfig, BlendshapeData, BlendshapeParameters, BlendshapeSolver, Formulation,
};

const VERTICES: usize = 61_520;
const MASKED: usize = 10_085;
const POSES: usize = 52;
const FRAMES: usize = 60;

fn main() {
    describe_sequence();
    divan::main();
}

/// Prints how much there is to do: with nothing at a bound a solve would be a single product.
fn describe_sequence() {
    let mut solver = solver(1e-10, Formulation::Official, 0);
    let (mut weights, mut bound, mut changes) = (vec![0.0; POSES], [false; POSES], 0);
    let frames = right_hand_sides(&mut solver);
    for products in &frames {
        solver.solve_right_hand_side(products, &mut weights).expect("finite numbers");
        let now: [bool; POSES] = core::array::from_fn(|pose| weights[pose] == 0.0 || weights[pose] == 1.0);
        changes += now.iter().zip(bound).filter(|(now, before)| *now != before).count();
        bound = now;
    }
    let at_bounds = bound.iter().filter(|bound| **bound).count();
    println!(
        "{changes} changes of what is at a bound in {FRAMES} frames; {at_bounds} of {POSES} weights there in the last"
    );
}

/// Numbers between -1 and 1 that are the same every time.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f32 / (1 << 23) as f32 - 1.0
    }
}

/// A cloud of the size of a head, and poses that move overlapping regions of it by up to a centimetre.
fn skin() -> BlendshapeData {
    let mut numbers = Numbers(1);
    let neutral: Vec<f32> = (0..3 * VERTICES).map(|at| numbers.next() * [9.0, 15.0, 10.0][at % 3]).collect();
    let mut deltas = Vec::with_capacity(POSES * neutral.len());
    for _ in 0..POSES {
        let centre = [numbers.next() * 7.0, numbers.next() * 10.0, numbers.next() * 8.0];
        let direction = [numbers.next(), numbers.next(), numbers.next()];
        let width = 20.0 + 15.0 * numbers.next();
        for vertex in neutral.chunks_exact(3) {
            let distance: f32 = vertex.iter().zip(centre).map(|(at, centre)| (at - centre).powi(2)).sum();
            let share = (-distance / width).exp();
            deltas.extend(direction.map(|along| along * share));
        }
    }
    let mask = (0..MASKED).map(|at| (at * VERTICES / MASKED) as u32).collect();
    let names = (0..POSES).map(|pose| format!("pose{pose}")).collect();
    BlendshapeData::new(neutral, deltas, Some(mask), names).expect("sound shapes")
}

/// The settings of an official skin.
fn solver(tolerance: f32, formulation: Formulation, cancel_pairs: usize) -> BlendshapeSolver {
    let mut config = BlendshapeConfig::new(POSES);
    for pose in [1, 2, 3, 4, 8, 9, 10, 11, 51] {
        config.active_poses[pose] = false;
    }
    for pair in 0..13 {
        config.symmetry_poses[20 + 2 * pair..22 + 2 * pair].fill(pair as i32);
    }
    for pair in 0..cancel_pairs {
        config.cancel_poses[20 + 2 * pair..22 + 2 * pair].fill(pair as i32);
    }
    let mut solver = BlendshapeSolver::new(Arc::new(skin()));
    solver.set_config(config).expect("a sound configuration");
    let parameters = BlendshapeParameters {
        strength_l1_regularization: 0.5,
        strength_l2_regularization: 0.5,
        strength_symmetry: 100.0,
        strength_temporal_smoothing: 0.3,
        template_bb_size: 53.45,
        tolerance,
        formulation,
    };
    solver.set_parameters(parameters).expect("sound parameters");
    solver.prepare().expect("sound numbers");
    solver
}

/// A second of movements: each pose swings at its own speed between a little less than nothing and more than it can do.
fn targets(solver: &BlendshapeSolver) -> impl Iterator<Item = Vec<f32>> {
    let mut numbers = Numbers(2);
    let swings: Vec<_> = (0..POSES).map(|_| (numbers.next() * 3.0, 0.15 * numbers.next(), numbers.next())).collect();
    (0..FRAMES).map(move |frame| {
        let weights: Vec<f32> = swings
            .iter()
            .map(|(phase, speed, size)| 0.25 * size + 0.5 * size.abs() * (phase + speed * frame as f32).sin())
            .collect();
        let mut target = vec![0.0; 3 * VERTICES];
        solver.data().evaluate_pose(&weights, &mut target).expect("weights of all poses");
        target
    })
}

fn right_hand_sides(solver: &mut BlendshapeSolver) -> Vec<Vec<f64>> {
    let count = solver.active_poses().expect("prepared").len();
    let targets: Vec<_> = targets(solver).collect();
    let project = |target: Vec<f32>| {
        let mut products = vec![0.0; count];
        solver.right_hand_side(&target, &mut products).expect("finite vertices");
        products
    };
    targets.into_iter().map(project).collect()
}

#[divan::bench]
fn right_hand_side(bencher: Bencher) {
    let mut solver = solver(1e-10, Formulation::Official, 0);
    let targets: Vec<_> = targets(&solver).step_by(8).collect();
    let mut products = vec![0.0; solver.active_poses().expect("prepared").len()];
    let mut next = targets.iter().cycle();
    bencher.bench_local(|| {
        let target = next.next().expect("a cycle has no end");
        solver.right_hand_side(black_box(target), &mut products)
    });
}

fn solve_all(bencher: Bencher, mut solver: BlendshapeSolver) {
    let right_hand_sides = right_hand_sides(&mut solver);
    let mut weights = vec![0.0; POSES];
    let mut next = right_hand_sides.iter().cycle();
    bencher.counter(ItemsCount::new(1_usize)).bench_local(|| {
        let products = next.next().expect("a cycle has no end");
        solver.solve_right_hand_side(black_box(products), &mut weights)
    });
}

#[divan::bench(sample_size = 60, sample_count = 50)]
fn solve(bencher: Bencher) {
    solve_all(bencher, solver(1e-10, Formulation::Official, 0));
}

#[divan::bench(sample_size = 60, sample_count = 50)]
fn solve_with_cancel_pairs(bencher: Bencher) {
    solve_all(bencher, solver(1e-10, Formulation::Official, 6));
}

#[divan::bench(sample_size = 60, sample_count = 50)]
fn solve_natural_formulation(bencher: Bencher) {
    solve_all(bencher, solver(1e-10, Formulation::Natural, 0));
}

/// A tolerance that selects the official method.
#[divan::bench(sample_size = 60, sample_count = 2)]
fn official_method(bencher: Bencher) {
    solve_all(bencher, solver(1.1e-6, Formulation::Official, 0));
}

#[divan::bench(sample_size = 1, sample_count = 5)]
fn prepare(bencher: Bencher) {
    let data = Arc::new(skin());
    bencher.with_inputs(|| BlendshapeSolver::new(data.clone())).bench_local_values(|mut solver| solver.prepare());
}
