//! Python's pickle as data: parsed, never executed.
//!
//! Only what checkpoints and Chinese-CLIP's LMDB are made of is understood: plain values, ordered
//! dictionaries, tensors and TorchScript's module records. A pickle that names any other class or function is an error.
//! Opcodes: <https://github.com/python/cpython/blob/main/Lib/pickletools.py>.

mod nesting;

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use nesting::check_nesting;

/// A parsed value. Containers are shared, because a pickle fills them after it has stored them.
#[derive(Clone, Debug)]
pub enum Value {
    /// Nothing.
    None,
    /// True or false; nothing we read asks which.
    Bool,
    /// A whole number of up to 64 bits.
    Int(i64),
    /// A number with a point; nothing we read asks which.
    Float,
    /// Text.
    Str(Rc<str>),
    /// Bytes; nothing we read asks which.
    Bytes,
    /// A tuple.
    Tuple(Rc<Vec<Value>>),
    /// A list.
    List(Rc<RefCell<Vec<Value>>>),
    /// A dictionary.
    Dict(Dict),
    /// A class or function by its full name.
    Global(Rc<str>),
    /// An instance of a TorchScript class: its attributes.
    Object(Dict),
    /// A tensor's memory.
    Storage(Rc<Storage>),
    /// A tensor.
    Tensor(Rc<TensorRef>),
}

/// Pairs in the order they were set.
pub type Dict = Rc<RefCell<Vec<(Value, Value)>>>;

/// Raw values in the archive.
#[derive(Debug)]
pub struct Storage {
    /// Such as `torch.FloatStorage`.
    pub kind: Rc<str>,
    /// File name under `data/`.
    pub key: Rc<str>,
}

/// A view of a storage; offset and strides count values.
#[derive(Debug)]
pub struct TensorRef {
    /// The memory it looks at.
    pub storage: Rc<Storage>,
    /// Its first value.
    pub offset: usize,
    /// Sizes of the axes.
    pub shape: Vec<usize>,
    /// Distances between neighbours along the axes.
    pub strides: Vec<usize>,
}

/// Reads one pickle, without running anything that it names.
///
/// ```
/// use tuwen_files::pickle::{Value, parse};
///
/// // pickle.dumps(5, protocol=2)
/// assert!(matches!(parse(b"\x80\x02K\x05."), Ok(Value::Int(5))));
/// // os.system
/// assert!(parse(b"cos\nsystem\n(S'ls'\ntR.").is_err());
/// ```
///
/// # Errors
/// In words: where it ends too early, what it names that no checkpoint needs.
pub fn parse(bytes: &[u8]) -> Result<Value, String> {
    let mut machine =
        Machine { rest: bytes, stack: Vec::new(), marks: Vec::new(), memo: HashMap::new() };
    loop {
        if let Some(value) = machine.step()? {
            return Ok(value);
        }
    }
}

struct Machine<'a> {
    rest: &'a [u8],
    stack: Vec<Value>,
    marks: Vec<usize>,
    memo: HashMap<usize, Value>,
}

impl<'a> Machine<'a> {
    /// One opcode; the result when it was the last.
    fn step(&mut self) -> Result<Option<Value>, String> {
        let opcode = self.take(1)?[0];
        match opcode {
            0x80 => drop(self.take(1)?),
            0x95 => drop(self.take(8)?),
            b'.' => return self.pop().map(Some),
            b'N' => self.stack.push(Value::None),
            0x88 | 0x89 => self.stack.push(Value::Bool),
            b'(' => self.marks.push(self.stack.len()),
            b'K' | b'M' | b'J' | 0x8a => self.integer(opcode)?,
            b'G' => {
                self.take(8)?;
                self.stack.push(Value::Float);
            }
            b'X' | 0x8c | 0x8d => {
                let bytes = self.sized(match opcode {
                    b'X' => 4,
                    0x8c => 1,
                    _ => 8,
                })?;
                let text = std::str::from_utf8(bytes).map_err(|e| e.to_string())?;
                self.stack.push(Value::Str(text.into()));
            }
            b'B' | b'C' | 0x8e => {
                self.sized(match opcode {
                    b'B' => 4,
                    b'C' => 1,
                    _ => 8,
                })?;
                self.stack.push(Value::Bytes);
            }
            b'}' => self.stack.push(Value::Dict(Dict::default())),
            b']' => self.stack.push(Value::List(Rc::default())),
            b')' => self.stack.push(Value::Tuple(Rc::default())),
            b't' => {
                let items = self.since_mark()?;
                self.stack.push(tuple(items)?);
            }
            0x85..=0x87 => {
                let at = self.stack.len().checked_sub(usize::from(opcode - 0x84));
                let items = self.stack.split_off(at.ok_or("the stack is empty")?);
                self.stack.push(tuple(items)?);
            }
            b'q' | b'r' | 0x94 => self.remember(opcode)?,
            b'h' | b'j' => {
                let index = self.number(if opcode == b'h' { 1 } else { 4 })?;
                let value = self.memo.get(&index).cloned();
                self.stack.push(value.ok_or_else(|| format!("nothing is stored as {index}"))?);
            }
            b'0' => drop(self.pop()?),
            b'a' | b'e' | b's' | b'u' => self.fill(opcode)?,
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                self.stack.push(Value::Global(format!("{module}.{name}").into()));
            }
            0x93 => {
                let (Value::Str(name), Value::Str(module)) = (self.pop()?, self.pop()?) else {
                    return Err("a class without a name".into());
                };
                self.stack.push(Value::Global(format!("{module}.{name}").into()));
            }
            b'Q' => self.persistent()?,
            b'R' | 0x81 => {
                let (arguments, callee) = (self.pop()?, self.pop()?);
                self.stack.push(build(&callee, &arguments)?);
            }
            b'b' => self.set_state()?,
            _ => return Err(format!("opcode 0x{opcode:02x} does not belong into a checkpoint")),
        }
        Ok(None)
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], String> {
        let parts = self.rest.split_at_checked(count).ok_or("it ends too early")?;
        self.rest = parts.1;
        Ok(parts.0)
    }

    /// A little-endian number of that many bytes.
    fn number(&mut self, width: usize) -> Result<usize, String> {
        let bytes = self.take(width)?;
        Ok(bytes.iter().rev().fold(0, |sum, &byte| sum << 8 | usize::from(byte)))
    }

    /// Bytes behind a length of that many bytes.
    fn sized(&mut self, width: usize) -> Result<&'a [u8], String> {
        let len = self.number(width)?;
        self.take(len)
    }

    fn line(&mut self) -> Result<String, String> {
        let end = self.rest.iter().position(|&b| b == b'\n').ok_or("it ends too early")?;
        let line = String::from_utf8_lossy(self.take(end)?).into_owned();
        self.take(1)?;
        Ok(line)
    }

    fn pop(&mut self) -> Result<Value, String> {
        self.stack.pop().ok_or_else(|| "the stack is empty".into())
    }

    fn since_mark(&mut self) -> Result<Vec<Value>, String> {
        let mark = self.marks.pop().filter(|&mark| mark <= self.stack.len());
        Ok(self.stack.split_off(mark.ok_or("there is no mark")?))
    }

    fn integer(&mut self, opcode: u8) -> Result<(), String> {
        let value = match opcode {
            b'K' => self.number(1)? as i64,
            b'M' => self.number(2)? as i64,
            b'J' => i64::from(self.number(4)? as u32 as i32),
            _ => {
                let bytes = self.sized(1)?;
                if bytes.len() > 8 {
                    return Err("an integer of more than 64 bits".into());
                }
                let sign = if bytes.last().is_some_and(|b| b & 0x80 != 0) { -1i64 } else { 0 };
                bytes.iter().rev().fold(sign, |sum, &byte| sum << 8 | i64::from(byte))
            }
        };
        self.stack.push(Value::Int(value));
        Ok(())
    }

    fn remember(&mut self, opcode: u8) -> Result<(), String> {
        let index = match opcode {
            b'q' => self.number(1)?,
            b'r' => self.number(4)?,
            _ => self.memo.len(),
        };
        let value = self.stack.last().cloned().ok_or("the stack is empty")?;
        self.memo.insert(index, value);
        Ok(())
    }

    /// Appends to a list or sets entries of a dictionary, one or all since the mark.
    fn fill(&mut self, opcode: u8) -> Result<(), String> {
        let items = match opcode {
            b'a' => vec![self.pop()?],
            b's' => {
                let value = self.pop()?;
                vec![self.pop()?, value]
            }
            _ => self.since_mark()?,
        };
        if let Some(container) = self.stack.last() {
            check_nesting(&items, Some(container))?;
        }
        match self.stack.last() {
            Some(Value::List(list)) if matches!(opcode, b'a' | b'e') => {
                list.borrow_mut().extend(items);
            }
            Some(Value::Dict(dict)) if matches!(opcode, b's' | b'u') => {
                let (pairs, rest) = items.as_chunks::<2>();
                if !rest.is_empty() {
                    return Err("a key without a value".into());
                }
                let pairs = pairs.iter().map(|[key, value]| (key.clone(), value.clone()));
                dict.borrow_mut().extend(pairs);
            }
            _ => return Err("items without a container".into()),
        }
        Ok(())
    }

    /// `('storage', class, key, device, count)`.
    fn persistent(&mut self) -> Result<(), String> {
        let Value::Tuple(parts) = self.pop()? else {
            return Err("a storage that is no tuple".into());
        };
        let [Value::Str(_), Value::Global(kind), Value::Str(key), ..] = &parts[..] else {
            return Err("a storage without class and name".into());
        };
        let storage = Storage { kind: kind.clone(), key: key.clone() };
        self.stack.push(Value::Storage(Rc::new(storage)));
        Ok(())
    }

    /// Attributes of an object; those of a dictionary (`_metadata`) mean nothing to us.
    fn set_state(&mut self) -> Result<(), String> {
        let state = self.pop()?;
        match (self.stack.last(), state) {
            (Some(container @ Value::Object(object)), Value::Dict(state)) => {
                check_nesting(&[Value::Dict(state.clone())], Some(container))?;
                object.borrow_mut().extend(state.borrow().iter().cloned());
                Ok(())
            }
            (Some(Value::Dict(_) | Value::Tensor(_)), _) => Ok(()),
            _ => Err("attributes of something that has none".into()),
        }
    }
}

fn tuple(items: Vec<Value>) -> Result<Value, String> {
    check_nesting(&items, None)?;
    Ok(Value::Tuple(Rc::new(items)))
}

/// What calling `callee` would give, for the few that a checkpoint needs.
fn build(callee: &Value, arguments: &Value) -> Result<Value, String> {
    let (Value::Global(name), Value::Tuple(arguments)) = (callee, arguments) else {
        return Err("a call of something that is no function".into());
    };
    match (&**name, &arguments[..]) {
        ("collections.OrderedDict", _) => Ok(Value::Dict(Dict::default())),
        ("torch._utils._rebuild_tensor_v2", [storage, offset, shape, strides, ..]) => {
            let Value::Storage(storage) = storage else {
                return Err("a tensor without a storage".into());
            };
            let (shape, strides) = (sizes(shape)?, sizes(strides)?);
            if shape.len() != strides.len() {
                return Err(format!("a tensor of shape {shape:?} and strides {strides:?}"));
            }
            let (storage, offset) = (storage.clone(), size(offset)?);
            Ok(Value::Tensor(Rc::new(TensorRef { storage, offset, shape, strides })))
        }
        ("torch._utils._rebuild_parameter", [tensor @ Value::Tensor(_), ..]) => Ok(tensor.clone()),
        (name, _) if name.starts_with("__torch__.") => Ok(Value::Object(Dict::default())),
        (name, _) => Err(format!(
            "it calls `{name}`, which no checkpoint needs; tuwen never runs a pickle's code"
        )),
    }
}

fn size(value: &Value) -> Result<usize, String> {
    match value {
        Value::Int(value) => usize::try_from(*value).map_err(|_| format!("a size of {value}")),
        _ => Err("a size that is no number".into()),
    }
}

fn sizes(value: &Value) -> Result<Vec<usize>, String> {
    match value {
        Value::Tuple(values) => values.iter().map(size).collect(),
        _ => Err("a shape that is no tuple".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_pickle_is_named_and_not_run() {
        // pickle.dumps of an object whose __reduce__ is (os.system, ("touch /tmp/x",)).
        let bytes =
            b"\x80\x02cposix\nsystem\nq\x00X\x0c\x00\x00\x00touch /tmp/xq\x01\x85q\x02Rq\x03.";
        let error = parse(bytes).expect_err("hostile");
        assert!(error.contains("posix.system"), "{error}");
    }

    #[test]
    fn containers_in_themselves_or_without_end_are_errors() {
        // l = []; l.append(l)
        let error = parse(b"\x80\x02]q\x00h\x00a.").expect_err("a circle");
        assert!(error.contains("in themselves"), "{error}");
        // A dictionary that is its own key, and two lists in each other.
        assert!(parse(b"\x80\x02}q\x00h\x00Ns.").is_err());
        assert!(parse(b"\x80\x02]q\x00]q\x01h\x00aah\x01h\x00a.").is_err());
        // [[[…]]], and ((((…)))), as deep as the file is long.
        let deep = [vec![b']'; 100_000], vec![b'a'; 99_999], vec![b'.']].concat();
        assert!(parse(&deep).is_err());
        let tuples = [vec![b'N'], vec![0x85; 100_000], vec![b'.']].concat();
        assert!(parse(&tuples).is_err());
        let shared = [&b"]q\x00"[..], &b"]q\x01h\x00ah\x00a."[..]].concat();
        assert!(parse(&shared).is_ok(), "the same list twice is none in itself");
    }

    #[test]
    fn every_cut_pickle_is_an_error() {
        // {'a': [1, -2, 300], 'b': (True, None)} in protocol 2.
        let bytes = b"\x80\x02}q\x00(X\x01\x00\x00\x00aq\x01]q\x02(K\x01J\xfe\xff\xff\xffM,\x01eX\x01\x00\x00\x00bq\x03\x88N\x86q\x04u.";
        let Value::Dict(dict) = parse(bytes).expect("plain data") else { panic!("no dictionary") };
        assert_eq!(dict.borrow().len(), 2);
        for end in 0..bytes.len() {
            assert!(parse(&bytes[..end]).is_err(), "cut at {end}");
        }
    }
}
