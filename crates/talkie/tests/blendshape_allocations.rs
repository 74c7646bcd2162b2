//! A frame of the blendshape solve allocates nothing.
//!
//! A file of its own, since it replaces the allocator of its process.

use std::{
    alloc::{GlobalAlloc, Layout, System as Heap},
    cell::Cell,
    sync::Arc,
};

use talkie::animation::blendshapes::{
    BlendshapeConfig, BlendshapeData, BlendshapeParameters, BlendshapeSolver, Formulation,
};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call goes to the system's allocator unchanged; counting touches only a thread-local number.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promises are passed on.
        unsafe { Heap.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on.
        unsafe { Heap.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn no_frame_allocates_from_the_first_on() {
    const POSES: usize = 12;
    let wave = |at: usize, speed: f32| (at as f32 * speed).sin();
    let neutral: Vec<f32> = (0..180).map(|at| 20.0 * wave(at, 1.7)).collect();
    let deltas = (0..180 * POSES).map(|at| wave(at, 2.3)).collect();
    let names = (0..POSES).map(|pose| format!("pose{pose}")).collect();
    let data = Arc::new(BlendshapeData::new(neutral, deltas, Some((0..40).collect()), names).unwrap());
    let mut cancelling = BlendshapeConfig::new(POSES);
    cancelling.cancel_poses[..4].copy_from_slice(&[0, 0, 1, 1]);
    cancelling.active_poses[7] = false;

    // The deltas are waves of one speed: without the last strength the matrix is singular.
    for (formulation, l2) in [(Formulation::Official, 1.0), (Formulation::Natural, 1.0), (Formulation::Official, 0.0)] {
        let mut solver = BlendshapeSolver::new(data.clone());
        solver.set_config(cancelling.clone()).unwrap();
        let parameters = BlendshapeParameters {
            strength_l2_regularization: l2,
            strength_temporal_smoothing: 0.3 * l2,
            formulation,
            ..Default::default()
        };
        solver.set_parameters(parameters).unwrap();
        solver.prepare().unwrap();
        let mut weights = [0.0; POSES];
        let mut target = data.neutral().to_vec();
        let before = ALLOCATIONS.get();
        for frame in 0..40 {
            target.iter_mut().enumerate().for_each(|(at, value)| *value += 0.3 * wave(at + 7 * frame, 1.1));
            solver.solve(&target, &mut weights).unwrap();
            if frame == 20 {
                solver.reset();
            }
        }
        assert_eq!(ALLOCATIONS.get() - before, 0, "{formulation:?}, {l2}");
    }
}
