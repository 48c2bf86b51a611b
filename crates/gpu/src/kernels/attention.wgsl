// Softmax attention of up to 64 queries of one sequence and head, one a thread, over keys and values that pass through
// shared memory some at a time: the softmax is corrected as larger scores come (Milakov and Gimelshein 2018,
// https://arxiv.org/abs/1805.02867), so that no score is ever stored. DEPTH and SOME are put before this text.
//
// `args`: see `Jobs` on the host.

@group(0) @binding(0) var<storage, read> args: array<u32>;
@group(0) @binding(1) var<storage, read> query: array<f32>;
@group(0) @binding(2) var<storage, read> key: array<f32>;
@group(0) @binding(3) var<storage, read> value: array<f32>;
@group(0) @binding(4) var<storage, read_write> mixed: array<f32>;

const THREADS = 64u;
const HEAD = 11u;
const JOB = 6u;

var<workgroup> keys: array<f32, SOME * DEPTH>;
var<workgroup> values: array<f32, SOME * DEPTH>;

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let heads = args[0];
    let at = group.x + group.y * groups.x;
    if at >= args[1] * heads {
        return;
    }
    let shift = at % heads * DEPTH;
    let job = HEAD + at / heads * JOB;
    let queries = args[job + 1u];
    let first_key = args[job + 2u];
    let count = args[job + 3u];
    let asks = thread < queries;
    var seen = count;
    if args[3] == 1u {
        seen = min(count, args[job + 4u] + thread + 1u);
    }

    var own: array<f32, DEPTH>;
    var sum: array<f32, DEPTH>;
    if asks {
        let start = (args[job] + thread) * args[5] + args[8] + shift;
        for (var i = 0u; i < DEPTH; i++) {
            own[i] = query[start + i] * bitcast<f32>(args[4]);
        }
    }
    var most = -3.0e38;
    var all = 0.0;
    for (var start = 0u; start < count; start += SOME) {
        workgroupBarrier();
        for (var i = thread; i < SOME * DEPTH; i += THREADS) {
            let row = start + i / DEPTH;
            if row < count {
                keys[i] = key[(first_key + row) * args[6] + args[9] + shift + i % DEPTH];
                values[i] = value[(first_key + row) * args[7] + args[10] + shift + i % DEPTH];
            }
        }
        workgroupBarrier();
        if asks {
            for (var row = 0u; row < SOME && start + row < seen; row++) {
                var score = 0.0;
                for (var i = 0u; i < DEPTH; i++) {
                    score += own[i] * keys[row * DEPTH + i];
                }
                if score > most {
                    let shrink = exp(most - score);
                    for (var i = 0u; i < DEPTH; i++) {
                        sum[i] *= shrink;
                    }
                    all *= shrink;
                    most = score;
                }
                let weight = exp(score - most);
                all += weight;
                for (var i = 0u; i < DEPTH; i++) {
                    sum[i] += weight * values[row * DEPTH + i];
                }
            }
        }
    }
    if asks {
        let to = (args[job + 5u] + thread) * args[2] + shift;
        for (var i = 0u; i < DEPTH; i++) {
            mixed[to + i] = sum[i] / all;
        }
    }
}
