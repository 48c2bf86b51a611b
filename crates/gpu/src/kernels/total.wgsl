// The sum of what all threads of a group have, always in the same order.

const THREADS = 64u;

var<workgroup> parts: array<f32, THREADS>;

fn total(thread: u32, own: f32) -> f32 {
    parts[thread] = own;
    for (var half = THREADS / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if thread < half {
            parts[thread] += parts[thread + half];
        }
    }
    workgroupBarrier();
    let sum = parts[0];
    workgroupBarrier();
    return sum;
}
