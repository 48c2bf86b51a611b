//! A model, and how a gallery remembers it.

use std::path::Path;

use tuwen_encode::Encoder;
use tuwen_encode::{CpuEncoder, WINDOW, builtin};
use tuwen_index::{Gallery, ModelId};

pub use tuwen_encode::{Device, LongText, Products};

use crate::{Error, Result};

/// Opens a model by its name, folder or file.
///
/// # Errors
/// No such model, files that do not fit, or what the device cannot do.
pub fn open_model(
    name: &str,
    long_text: LongText,
    products: Products,
    device: Device,
) -> Result<CpuEncoder> {
    let encoder = tuwen_hub::open(name)?.with_long_text(long_text).with_products(products);
    Ok(encoder.on(device)?)
}

/// The encoder as it was when the gallery in `folder` was made, where only the program is newer; itself
/// where there is no gallery yet. A gallery whose texts were read with another option is refused.
///
/// # Errors
/// The option that would fit.
pub fn as_in_gallery(folder: &Path, encoder: CpuEncoder) -> Result<CpuEncoder> {
    // What is wrong with a gallery is said by whoever opens it.
    match Gallery::open(folder).and_then(|gallery| gallery.model()) {
        Ok(made) => as_made(folder, &made, encoder),
        Err(_) => Ok(encoder),
    }
}

/// The same for a gallery whose model is known.
pub(crate) fn as_made(folder: &Path, made: &ModelId, encoder: CpuEncoder) -> Result<CpuEncoder> {
    let encoder = encoder.as_known(&made.fingerprint)?;
    if made.name == builtin::BEFORE && made.fingerprint != encoder.fingerprint() {
        return Err(tuwen_hub::Error::Before.into());
    }
    let option = |fingerprint: &str| fingerprint.contains(WINDOW);
    let wanted = option(&made.fingerprint);
    if made.fingerprint.replace(WINDOW, "") == encoder.fingerprint().replace(WINDOW, "")
        && wanted != option(encoder.fingerprint())
    {
        let option = if wanted { "window" } else { "cut" };
        return Err(Error::LongText { gallery: folder.to_path_buf(), option });
    }
    Ok(encoder)
}

/// How a gallery remembers its model: a folder by its full path.
///
/// # Errors
/// The path cannot be followed.
pub fn model_id(name: &str, encoder: &CpuEncoder) -> Result<ModelId> {
    let full = || std::fs::canonicalize(name).map_err(|e| Error::io(Path::new(name), e));
    let name = match tuwen_hub::is_name(name) {
        true => name.to_owned(),
        false => full()?.to_string_lossy().into_owned(),
    };
    Ok(ModelId { name, fingerprint: encoder.fingerprint().to_owned(), dim: encoder.dim() })
}
