//! The one record that every import format produces and everything else takes.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::alphabet;
use base64::engine::{DecodePaddingMode, Engine, GeneralPurpose, GeneralPurposeConfig};
use serde::Serialize;

use tuwen_files::{Error, Result};

/// A text that describes a picture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Caption {
    /// The words, as written.
    pub text: String,
    /// Which set of captions it comes from, such as `en` or `zh-native`; training draws by it.
    pub source: String,
    /// The text's own id, where the set has such: captions of several pictures with one id are one text
    /// ([`crate::relation`]).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

impl Caption {
    /// A caption without a source and an id of its own.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), source: String::new(), id: None }
    }
}

/// Where the encoded bytes of a picture lie.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum ImageSource {
    /// A file of its own.
    File(PathBuf),
    /// A member of an uncompressed tar archive, read by position.
    Tar {
        /// The archive.
        path: PathBuf,
        /// First byte of the member's content.
        offset: u64,
        /// Length of the member's content in bytes.
        len: u64,
    },
    /// Base64 inside a text file, of either alphabet, read by position.
    Base64 {
        /// The file.
        path: PathBuf,
        /// First byte.
        offset: u64,
        /// Length in bytes of the text.
        len: u64,
    },
    /// In memory: out of a compressed file such as Parquet, which has no place for a single one.
    Bytes(#[serde(serialize_with = "length")] Arc<[u8]>),
}

/// Shows how many bytes there are.
fn length<S: serde::Serializer>(bytes: &Arc<[u8]>, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_u64(bytes.len() as u64)
}

/// Both alphabets' letters after `-_` became `+/`; padding may be there or not.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

impl ImageSource {
    /// The encoded bytes.
    ///
    /// # Errors
    /// The file cannot be read, or the archive is shorter than it was.
    pub fn read(&self) -> Result<Vec<u8>> {
        match self {
            Self::Bytes(bytes) => Ok(bytes.to_vec()),
            Self::File(path) => std::fs::read(path).map_err(|e| Error::io(path, e)),
            Self::Tar { path, offset, len } => {
                read_part(path, *offset, *len).map_err(|e| Error::io(path, e))
            }
            Self::Base64 { path, offset, len } => {
                let mut text = read_part(path, *offset, *len).map_err(|e| Error::io(path, e))?;
                for byte in &mut text {
                    *byte = match *byte {
                        b'-' => b'+',
                        b'_' => b'/',
                        other => other,
                    };
                }
                BASE64.decode(&text).map_err(|e| Error::Picture(format!("base64: {e}")))
            }
        }
    }
}

fn read_part(path: &Path, offset: u64, len: u64) -> std::io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(offset))?;
    let mut bytes = Vec::new();
    file.take(len).read_to_end(&mut bytes)?;
    if (bytes.len() as u64) < len {
        return Err(std::io::Error::other("the archive is shorter than its index says"));
    }
    Ok(bytes)
}

/// A picture with its captions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Sample {
    /// Unique within its set; a string, always.
    pub id: String,
    /// The picture.
    pub image: ImageSource,
    /// At least one for training; may be empty elsewhere.
    pub captions: Vec<Caption>,
    /// `train`, `val`, … where the format says so.
    pub split: Option<String>,
    /// Anything else the format carries.
    pub metadata: BTreeMap<String, String>,
}
