//! A decoder with attention to an encoder's rows beside transformers' GPT-2 (`scripts/golden/decoder.py`): as a
//! whole, with its gradients, and one token at a time.

use std::sync::Arc;

use serde_json::Value as Json;
use tuwen_nn::{
    Activation, Attention, Cache, Linear, Norm, Part, Rows, Sequence, Tape, Value, Weight, grads,
};

const WIDTH: usize = 16;
const SELF: Attention = Attention { heads: 2, width: WIDTH, causal: true };
const CROSS: Attention = Attention { heads: 2, width: WIDTH, causal: false };

struct Decoder {
    tokens: Vec<f32>,
    positions: Vec<f32>,
    blocks: Vec<Block>,
    norm: Norm<'static>,
    logits: Linear<'static>,
}

struct Block {
    norm1: Norm<'static>,
    qkv: Linear<'static>,
    proj: Linear<'static>,
    cross_norm: Norm<'static>,
    query: Linear<'static>,
    keys: Linear<'static>,
    cross_proj: Linear<'static>,
    norm2: Norm<'static>,
    up: Linear<'static>,
    down: Linear<'static>,
}

fn floats(value: &Json) -> Vec<f32> {
    serde_json::from_value(value.clone()).expect("a list of numbers")
}

fn weight(all: &Json, name: &str) -> Weight<'static> {
    let values = floats(&all["weights"][name]["values"]);
    Weight::new(name.into(), vec![values.len()], values.into(), false)
}

fn norm(all: &Json, name: &str) -> Norm<'static> {
    let part = |part: &str| weight(all, &format!("{name}.{part}"));
    Norm { weight: part("weight"), bias: part("bias"), eps: 1e-5 }
}

/// GPT-2 keeps its matrices as (in, out).
fn linear(all: &Json, name: &str) -> Linear<'static> {
    let bias = weight(all, &format!("{name}.bias"));
    let values = weight(all, &format!("{name}.weight")).values.into_owned();
    let (out, wide) = (bias.values.len(), values.len() / bias.values.len());
    let turned = (0..out * wide).map(|at| values[at % wide * out + at / wide]).collect::<Vec<_>>();
    // Leaked, so that it is borrowed: what is owned has no backward pass.
    let rows = Rows::Floats((&*turned.leak()).into());
    Linear::new(name.into(), &[out, wide], rows, Some(bias), Default::default(), None)
}

impl Decoder {
    fn new(all: &Json) -> Self {
        let block = |at: usize| {
            let part = |part: &str| format!("transformer.h.{at}.{part}");
            Block {
                norm1: norm(all, &part("ln_1")),
                qkv: linear(all, &part("attn.c_attn")),
                proj: linear(all, &part("attn.c_proj")),
                cross_norm: norm(all, &part("ln_cross_attn")),
                query: linear(all, &part("crossattention.q_attn")),
                keys: linear(all, &part("crossattention.c_attn")),
                cross_proj: linear(all, &part("crossattention.c_proj")),
                norm2: norm(all, &part("ln_2")),
                up: linear(all, &part("mlp.c_fc")),
                down: linear(all, &part("mlp.c_proj")),
            }
        };
        let tokens = weight(all, "transformer.wte.weight").values.into_owned();
        let rows = Rows::Floats((&*tokens.clone().leak()).into());
        let shape = [tokens.len() / WIDTH, WIDTH];
        Self {
            positions: weight(all, "transformer.wpe.weight").values.into_owned(),
            blocks: (0..2).map(block).collect(),
            norm: norm(all, "transformer.ln_f"),
            logits: Linear::new("tokens".into(), &shape, rows, None, Default::default(), None),
            tokens,
        }
    }

    /// Embedded tokens of sequences that all begin at position `first`.
    fn embed(&self, ids: &[Vec<usize>], first: usize) -> Vec<f32> {
        let row = |table: &[f32], at: usize| table[at * WIDTH..(at + 1) * WIDTH].to_vec();
        let one = |(at, &id): (usize, &usize)| {
            let place = row(&self.positions, first + at);
            row(&self.tokens, id).into_iter().zip(place).map(|(a, b)| a + b).collect::<Vec<_>>()
        };
        ids.iter().flat_map(|ids| ids.iter().enumerate().flat_map(one)).collect()
    }

    /// `attend` makes of a block's queries, keys and values what its queries gather.
    fn forward<'w>(
        &'w self,
        tape: &mut Tape<'w>,
        mut x: Value,
        seen: &Value,
        across: &Arc<[Sequence]>,
        mut attend: impl FnMut(&mut Tape<'w>, usize, &Value) -> Value,
    ) -> Value {
        for (at, block) in self.blocks.iter().enumerate() {
            let qkv = tape.normed_linear(&x, &block.norm1, &block.qkv);
            let mixed = attend(tape, at, &qkv);
            let branch = tape.linear(&mixed, &block.proj);
            x = tape.add(branch, &x);
            let query = tape.normed_linear(&x, &block.cross_norm, &block.query);
            let keys = tape.linear(seen, &block.keys);
            let part = |column| Part { of: &keys, column };
            let query = Part { of: &query, column: 0 };
            let mixed = tape.attention(CROSS, query, part(0), part(WIDTH), across);
            let branch = tape.linear(&mixed, &block.cross_proj);
            x = tape.add(branch, &x);
            let hidden = tape.normed_linear(&x, &block.norm2, &block.up);
            let branch = tape.active_linear(&hidden, Activation::GeluTanh, &block.down);
            x = tape.add(branch, &x);
        }
        tape.normed_linear(&x, &self.norm, &self.logits)
    }
}

/// `count` rows of each of two sequences ask the five rows that it saw.
fn across(count: usize) -> Arc<[Sequence]> {
    let one = |at: usize| Sequence {
        queries: at * count..(at + 1) * count,
        keys: at * 5..(at + 1) * 5,
        first: 0,
    };
    (0..2).map(one).collect()
}

fn close(what: &str, found: &[f32], wanted: &[f32]) {
    assert_eq!(found.len(), wanted.len(), "{what}");
    let worst = found.iter().zip(wanted).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(worst < 1e-5, "{what}: differs by {worst}");
}

fn case() -> (Json, Decoder, Vec<Vec<usize>>) {
    let all: Json = serde_json::from_str(include_str!("golden/decoder.json")).expect("JSON");
    let ids = serde_json::from_value(all["ids"].clone()).expect("ids");
    (all.clone(), Decoder::new(&all), ids)
}

#[test]
fn logits_loss_and_the_gradient_of_what_it_saw_equal_transformers() {
    let (all, decoder, ids) = case();
    let mut tape = Tape::recording();
    let x = tape.leaf(decoder.embed(&ids, 0), WIDTH, false);
    let seen = tape.leaf(floats(&all["seen"]), WIDTH, true);
    let own: Arc<[Sequence]> = (0..2).map(|at| Sequence::itself(at * 7..(at + 1) * 7)).collect();
    let logits = decoder.forward(&mut tape, x, &seen, &across(7), |tape, _, qkv| {
        let part = |at: usize| Part { of: qkv, column: at * WIDTH };
        tape.attention(SELF, part(0), part(1), part(2), &own)
    });
    close("logits", &logits, &floats(&all["logits"]));
    // Each token but the first of a text is what the row before should say.
    let rows = (0..2).flat_map(|text| (0..6).map(move |at| text * 7 + at)).collect();
    let said = tape.pick(&logits, rows);
    let mut targets = vec![0.0; said.len()];
    for (row, &id) in ids.iter().flat_map(|ids| &ids[1..]).enumerate() {
        targets[row * said.width() + id] = 1.0;
    }
    let loss = tape.cross_entropy(&said, &targets);
    close("loss", &loss, &[all["loss"].as_f64().expect("a number") as f32]);
    let (_, found) = grads::collect(vec![tape], |tape, grads| {
        tape.backward(vec![(&loss, vec![1.0])], grads).take(&seen).expect("a gradient")
    });
    close("gradient", &found[0], &floats(&all["dseen"]));
}

#[test]
fn one_token_at_a_time_gives_the_same_logits_also_when_the_beams_change_places() {
    let (all, decoder, ids) = case();
    let wanted = floats(&all["logits"]);
    let mut caches: Vec<Cache> = (0..2).map(|_| Cache::new(2, 7, 2 * WIDTH)).collect();
    let mut order = [0, 1];
    for at in 0..7 {
        let mut tape = Tape::forward_only();
        let now: Vec<Vec<usize>> = order.iter().map(|&text| vec![ids[text][at]]).collect();
        let x = tape.leaf(decoder.embed(&now, at), WIDTH, false);
        let seen = floats(&all["seen"]);
        let seen = order.iter().flat_map(|&text| seen[text * 80..(text + 1) * 80].to_vec());
        let seen = tape.leaf(seen.collect(), WIDTH, false);
        let logits = decoder.forward(&mut tape, x, &seen, &across(1), |tape, at, qkv| {
            let keys: Vec<f32> =
                qkv.chunks_exact(3 * WIDTH).flat_map(|row| &row[WIDTH..]).copied().collect();
            let keys = tape.leaf(keys, 2 * WIDTH, false);
            caches[at].push(&keys);
            let part = |column| Part { of: caches[at].rows(), column };
            let query = Part { of: qkv, column: 0 };
            tape.attention(SELF, query, part(0), part(WIDTH), &caches[at].sequences(1))
        });
        for (row, &text) in logits.chunks_exact(23).zip(&order) {
            close(&format!("token {at} of {text}"), row, &wanted[(text * 7 + at) * 23..][..23]);
        }
        if at == 3 {
            order = [1, 0];
            caches.iter_mut().for_each(|cache| cache.reorder(&[1, 0]));
        }
    }
    assert_eq!(caches[0].len(), 7);
}

/// An activation alone and one before a matrix that changes nothing, with their gradients.
#[test]
fn an_activation_alone_is_that_before_an_identity() {
    let identity: Vec<f32> = (0..9).map(|at| if at % 4 == 0 { 1.0 } else { 0.0 }).collect();
    for activation in [Activation::Gelu, Activation::QuickGelu, Activation::GeluTanh] {
        let rows = Rows::Floats(identity.as_slice().into());
        let layer = Linear::new("w".into(), &[3, 3], rows, None, Default::default(), None);
        let layer = layer.learning(true);
        let run = |alone: bool| {
            let mut tape = Tape::recording();
            let x = tape.leaf(vec![-1.5, -0.2, 0.0, 0.4, 1.1, 3.0], 3, true);
            let y = match alone {
                true => tape.activate(&x, activation),
                false => tape.active_linear(&x, activation, &layer),
            };
            let values = y.to_vec();
            let (_, found) = grads::collect(vec![tape], |tape, grads| {
                let grad = vec![1.0, -2.0, 0.5, 1.0, 0.3, 2.0];
                tape.backward(vec![(&y, grad)], grads).take(&x).expect("it learns")
            });
            [values, found.into_iter().flatten().collect()]
        };
        let (found, wanted) = (run(true), run(false));
        for (found, wanted) in found.iter().flatten().zip(wanted.iter().flatten()) {
            assert!((found - wanted).abs() < 1e-6, "{activation:?}: {found} beside {wanted}");
        }
    }
}
