// Rows that are sums of rows of two matrices, each with a share: `args` has width and number of rows, where each row's
// taps end, and the taps, of three words each: which matrix, which row, its share.

@group(0) @binding(0) var<storage, read> args: array<u32>;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

const HEAD = 2u;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let width = args[0];
    let rows = args[1];
    let at = (group.x + group.y * groups.x) * 256u + thread;
    let row = at / width;
    let column = at % width;
    if row >= rows {
        return;
    }
    var tap = 0u;
    if row > 0u {
        tap = args[HEAD + row - 1u];
    }
    let end = args[HEAD + row];
    var sum = 0.0;
    for (; tap < end; tap++) {
        let words = HEAD + rows + 3u * tap;
        let place = args[words + 1u] * width + column;
        let share = bitcast<f32>(args[words + 2u]);
        if args[words] == 0u {
            sum += share * a[place];
        } else {
            sum += share * b[place];
        }
    }
    y[at] = sum;
}
