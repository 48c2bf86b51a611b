//! No container holds itself, and none is nested without end.

use std::collections::HashMap;
use std::rc::Rc;

use super::Value;

/// Containers within containers: more than any checkpoint has.
const DEEPEST: usize = 64;

/// A container that held itself would never be freed, and one nested without end could not be.
pub(super) fn check_nesting(items: &[Value], container: Option<&Value>) -> Result<(), String> {
    let own = container.and_then(Value::address);
    // By address the greatest depth at which a container was looked at.
    let mut seen: HashMap<usize, usize> = HashMap::new();
    let mut waiting: Vec<(Value, usize)> = items.iter().map(|item| (item.clone(), 1)).collect();
    while let Some((value, depth)) = waiting.pop() {
        let Some(address) = value.address() else { continue };
        if own == Some(address) || depth > DEEPEST {
            return Err("containers in themselves, or nested without end".into());
        }
        let before = seen.entry(address).or_default();
        if *before < depth {
            *before = depth;
            value.children(&mut |child| waiting.push((child, depth + 1)));
        }
    }
    Ok(())
}

impl Value {
    /// What tells one container from another.
    fn address(&self) -> Option<usize> {
        match self {
            Self::Tuple(items) => Some(Rc::as_ptr(items) as usize),
            Self::List(items) => Some(Rc::as_ptr(items) as usize),
            Self::Dict(pairs) | Self::Object(pairs) => Some(Rc::as_ptr(pairs) as usize),
            _ => None,
        }
    }

    fn children(&self, tell: &mut dyn FnMut(Value)) {
        match self {
            Self::Tuple(items) => items.iter().cloned().for_each(tell),
            Self::List(items) => items.borrow().iter().cloned().for_each(tell),
            Self::Dict(pairs) | Self::Object(pairs) => {
                pairs.borrow().iter().cloned().for_each(|(key, value)| {
                    tell(key);
                    tell(value);
                });
            }
            _ => {}
        }
    }
}
