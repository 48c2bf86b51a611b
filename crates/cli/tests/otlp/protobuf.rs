//! Protobuf as it is on the wire, without a schema: enough to read what a collector gets.

/// A field's value.
#[derive(Clone, Copy)]
enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// A message: its fields in their order.
pub struct Message<'a>(Vec<(u64, Value<'a>)>);

impl<'a> Message<'a> {
    pub fn read(mut bytes: &'a [u8]) -> Self {
        let mut fields = Vec::new();
        while !bytes.is_empty() {
            let key = varint(&mut bytes);
            let value = match key & 7 {
                0 => Value::Number(varint(&mut bytes)),
                1 => Value::Number(u64::from_le_bytes(take(&mut bytes, 8).try_into().expect("8"))),
                2 => {
                    let length = varint(&mut bytes) as usize;
                    Value::Bytes(take(&mut bytes, length))
                }
                5 => Value::Number(u64::from(u32::from_le_bytes(
                    take(&mut bytes, 4).try_into().expect("4"),
                ))),
                other => panic!("a wire type {other}"),
            };
            fields.push((key >> 3, value));
        }
        Self(fields)
    }

    pub fn bytes(&self, field: u64) -> Vec<&'a [u8]> {
        let all = self.0.iter().filter(|(of, _)| *of == field);
        all.filter_map(|(_, value)| match value {
            Value::Bytes(bytes) => Some(*bytes),
            Value::Number(_) => None,
        })
        .collect()
    }

    pub fn messages(&self, field: u64) -> Vec<Self> {
        self.bytes(field).into_iter().map(Self::read).collect()
    }

    pub fn text(&self, field: u64) -> String {
        let first = self.bytes(field).first().copied().unwrap_or_default();
        String::from_utf8(first.to_vec()).expect("UTF-8")
    }

    pub fn number(&self, field: u64) -> Option<u64> {
        self.0.iter().find_map(|(of, value)| match value {
            Value::Number(number) if *of == field => Some(*number),
            _ => None,
        })
    }
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let (mut number, mut shift) = (0, 0);
    loop {
        let byte = take(bytes, 1)[0];
        number |= u64::from(byte & 0x7f) << shift;
        shift += 7;
        if byte < 0x80 {
            return number;
        }
    }
}

fn take<'a>(bytes: &mut &'a [u8], count: usize) -> &'a [u8] {
    let (head, rest) = bytes.split_at(count);
    *bytes = rest;
    head
}
