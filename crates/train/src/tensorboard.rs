//! A run's log as TensorBoard's event file: TFRecords of `Event` messages
//! (<https://github.com/tensorflow/tensorboard/blob/master/tensorboard/compat/proto/event.proto>).

use serde_json::Value;

/// Of all lines.
pub(crate) fn events(log: &[Value]) -> Vec<u8> {
    let mut out = Vec::new();
    // file_version = 3
    let mut first = double(1, 0.0);
    first.extend(bytes(3, b"brain.Event:2"));
    record(&mut out, &first);
    for line in log {
        let step = line["step"].as_u64().unwrap_or(0);
        let mut values: Vec<(String, f64)> =
            ["loss", "grad_norm", "lr_factor", "logit_scale", "images_per_s"]
                .iter()
                .filter_map(|name| Some((format!("train/{name}"), line[name].as_f64()?)))
                .collect();
        for (source, report) in line["valid"].as_object().into_iter().flatten() {
            for direction in ["text_to_image", "image_to_text"] {
                for (k, at) in [1, 5, 10].iter().zip(0..) {
                    let recall = report[direction]["recall"][at].as_f64();
                    values.extend(recall.map(|r| (format!("{source}/{direction}_R@{k}"), r)));
                }
            }
        }
        for (tag, value) in values {
            // Summary.value { tag = 1, simple_value = 2 }
            let mut inner = bytes(1, tag.as_bytes());
            inner.extend([2 << 3 | 5]);
            inner.extend((value as f32).to_le_bytes());
            let mut event = double(1, 0.0);
            event.push(2 << 3);
            varint(&mut event, step);
            event.extend(bytes(5, &bytes(1, &inner)));
            record(&mut out, &event);
        }
    }
    out
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn bytes(field: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![field << 3 | 2];
    varint(&mut out, content.len() as u64);
    out.extend(content);
    out
}

fn double(field: u8, value: f64) -> Vec<u8> {
    let mut out = vec![field << 3 | 1];
    out.extend(value.to_le_bytes());
    out
}

/// Length, its checksum, the data, their checksum.
fn record(out: &mut Vec<u8>, data: &[u8]) {
    let length = (data.len() as u64).to_le_bytes();
    out.extend(length);
    out.extend(masked(&length).to_le_bytes());
    out.extend(data);
    out.extend(masked(data).to_le_bytes());
}

fn masked(data: &[u8]) -> u32 {
    let crc = !data.iter().fold(!0u32, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            // CRC-32C, bit by bit: the log is short.
            crc >> 1 ^ if crc & 1 == 1 { 0x82f6_3b78 } else { 0 }
        })
    });
    crc.rotate_right(15).wrapping_add(0xa282_ead8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_crc32c() {
        // RFC 3720, B.4: 32 bytes of zeros.
        let crc = 0x8a91_36aau32;
        assert_eq!(masked(&[0; 32]), crc.rotate_right(15).wrapping_add(0xa282_ead8));
    }

    #[test]
    fn every_number_of_a_line_is_an_event() {
        let line = serde_json::json!({
            "step": 300, "loss": 1.5,
            "valid": {"en": {"text_to_image": {"recall": [1.0, 2.0, 3.0]}}}
        });
        let found = events(&[line]);
        let (mut rest, mut records) = (&found[..], 0);
        while !rest.is_empty() {
            let length = u64::from_le_bytes(rest[..8].try_into().expect("eight")) as usize;
            assert_eq!(rest[8..12], masked(&rest[..8]).to_le_bytes());
            assert_eq!(
                rest[12 + length..16 + length],
                masked(&rest[12..12 + length]).to_le_bytes()
            );
            rest = &rest[16 + length..];
            records += 1;
        }
        assert_eq!(records, 1 + 1 + 3);
    }
}
