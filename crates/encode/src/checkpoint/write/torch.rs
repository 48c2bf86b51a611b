//! torch's zip of a pickle, as `torch.save` writes it; `torch.load(weights_only=True)` reads it.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::{Parts, TextNames};
use crate::arrays::{Precision, Tensor, encode};
use crate::{Error, ModelConfig, Result};

/// Writes the tensors as cn_clip's trainer or as OpenAI keeps them.
pub(super) fn write(
    config: &ModelConfig,
    mut parts: Parts<'_>,
    precision: Precision,
    path: &Path,
) -> Result<()> {
    let mut tensors = parts.tensors();
    let chinese = TextNames::for_writing(config) == TextNames::Bert;
    if chinese {
        tensors.iter_mut().for_each(|tensor| tensor.name.insert_str(0, "module."));
    }
    // What OpenAI's module records beside its weights, and its loader skips.
    let size = config.preprocess.size as usize;
    let records = [
        ("input_resolution", size),
        ("context_length", config.context),
        ("vocab_size", config.vocab),
    ];
    let records = if chinese { &[][..] } else { &records[..] };
    let scalar = |&(name, _): &(&str, usize)| Tensor { name: name.to_owned(), shape: Vec::new() };
    tensors.extend(records.iter().map(scalar));

    let temporary = path.with_extension("tmp");
    let failed = |e: std::io::Error| Error::io(&temporary, e);
    let zipped = |e: zip::result::ZipError| Error::malformed(&temporary, e);
    let mut archive = ZipWriter::new(File::create(&temporary).map_err(failed)?);
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    let mut add = |name: &str, bytes: &[u8]| {
        let large = bytes.len() as u64 >= u64::from(u32::MAX);
        archive.start_file(format!("archive/{name}"), options.large_file(large)).map_err(zipped)?;
        archive.write_all(bytes).map_err(failed)
    };
    let name = chinese.then_some(&*config.name);
    add("data.pkl", &Pickle::checkpoint(&tensors, precision, name))?;
    add("byteorder", b"little")?;
    for index in 0..tensors.len() - records.len() {
        add(&format!("data/{index}"), &encode(&parts.next()?, precision))?;
    }
    for (index, &(_, value)) in (tensors.len() - records.len()..).zip(records) {
        add(&format!("data/{index}"), &(value as f32).to_le_bytes())?;
    }
    add("version", b"3\n")?;
    let file = archive.finish().map_err(zipped)?;
    file.sync_all().map_err(failed)?;
    std::fs::rename(&temporary, path).map_err(|e| Error::io(path, e))
}

/// A pickle in protocol 2; opcodes: `pickle.rs`.
struct Pickle(Vec<u8>);

impl Pickle {
    /// The state dictionary, inside what cn_clip's trainer puts around it where there is a `name`.
    fn checkpoint(tensors: &[Tensor], precision: Precision, name: Option<&str>) -> Vec<u8> {
        let mut out = Self(vec![0x80, 2]);
        if let Some(name) = name {
            out.0.extend(b"}(");
            for key in ["epoch", "step"] {
                out.text(key);
                out.number(0);
            }
            out.text("name");
            out.text(name);
            out.text("state_dict");
        }
        out.ordered_dict();
        out.0.push(b'(');
        for (index, tensor) in tensors.iter().enumerate() {
            // OpenAI's records are whole numbers, which half a float may not hold.
            let record = ["input_resolution", "context_length", "vocab_size"];
            let whole = record.contains(&&*tensor.name);
            out.text(&tensor.name);
            out.tensor(tensor, index, if whole { Precision::F32 } else { precision });
        }
        out.0.push(b'u');
        if name.is_some() {
            out.0.push(b'u');
        }
        out.0.push(b'.');
        out.0
    }

    fn tensor(&mut self, tensor: &Tensor, index: usize, precision: Precision) {
        let storage = match precision {
            Precision::F32 | Precision::Int8 => "FloatStorage",
            Precision::F16 => "HalfStorage",
            Precision::Bf16 => "BFloat16Storage",
        };
        self.0.extend(b"ctorch._utils\n_rebuild_tensor_v2\n((");
        self.text("storage");
        self.0.extend(format!("ctorch\n{storage}\n").bytes());
        self.text(&index.to_string());
        self.text("cpu");
        self.number(tensor.shape.iter().product());
        self.0.extend(b"tQ");
        self.number(0);
        let mut strides = vec![1; tensor.shape.len()];
        for axis in (1..strides.len()).rev() {
            strides[axis - 1] = strides[axis] * tensor.shape[axis];
        }
        for sizes in [&tensor.shape, &strides] {
            self.0.push(b'(');
            sizes.iter().for_each(|&size| self.number(size));
            self.0.push(b't');
        }
        // No gradient, no hooks.
        self.0.push(0x89);
        self.ordered_dict();
        self.0.extend(b"tR");
    }

    fn ordered_dict(&mut self) {
        self.0.extend(b"ccollections\nOrderedDict\n)R");
    }

    fn text(&mut self, text: &str) {
        self.0.push(b'X');
        self.0.extend((text.len() as u32).to_le_bytes());
        self.0.extend(text.bytes());
    }

    fn number(&mut self, value: usize) {
        match i32::try_from(value) {
            Ok(value) => {
                self.0.push(b'J');
                self.0.extend(value.to_le_bytes());
            }
            Err(_) => {
                self.0.extend([0x8a, 9]);
                self.0.extend((value as u64).to_le_bytes());
                self.0.push(0);
            }
        }
    }
}
