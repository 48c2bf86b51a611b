// The activation of each value, by the formulas of the host.

struct Args { values: u32, kind: u32 }

@group(0) @binding(0) var<storage, read> args: Args;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

// The normal distribution's cumulative probability within 1e-7 (Abramowitz and Stegun 7.1.26).
fn probability(x: f32) -> f32 {
    let t = 1.0 / (1.0 + 0.3275911 * 0.70710678 * abs(x));
    let poly = ((((1.0614054 * t - 1.4531521) * t) + 1.4214138) * t - 0.28449674) * t + 0.2548296;
    let tail = 0.5 * poly * t * exp(-0.5 * x * x);
    return select(1.0 - tail, tail, x < 0.0);
}

// GELU's approximation with tanh; the exponent is bounded where f32 ends and tanh long is 1.
fn by_tanh(x: f32) -> f32 {
    let inner = 0.7978846 * (x + 0.044715 * x * x * x);
    return 0.5 * x * (2.0 - 2.0 / (1.0 + exp(clamp(2.0 * inner, -87.0, 88.0))));
}

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let at = (group.x + group.y * groups.x) * 256u + thread;
    if at >= args.values {
        return;
    }
    let value = x[at];
    switch args.kind {
        case 0u: { y[at] = value * probability(value); }
        case 1u: { y[at] = value / (1.0 + exp(clamp(-1.702 * value, -87.0, 88.0))); }
        default: { y[at] = by_tanh(value); }
    }
}
