//! A file's name as it is printed: what is not UTF-8 survives in JSON and in links.

use std::fmt::{self, Display, Formatter, Write};
use std::path::{Path, PathBuf};

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

/// A path that serialises as `path` and, where this is not UTF-8 and so only nearly right, as
/// `path_bytes`, its bytes in hexadecimal. Made to be flattened into a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileName(PathBuf);

impl FileName {
    /// As the system knows it.
    pub fn as_path(&self) -> &Path {
        &self.0
    }

    /// The last part of it, for people.
    pub fn last(&self) -> String {
        self.0.file_name().unwrap_or(self.0.as_os_str()).to_string_lossy().into_owned()
    }

    /// A `file:` address of the full path, byte by byte.
    pub fn url(&self) -> String {
        let full = std::path::absolute(&self.0).unwrap_or_else(|_| self.0.clone());
        let mut url = String::from("file://");
        for &byte in full.as_os_str().as_encoded_bytes() {
            match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'/' | b'-' | b'.' | b'_' | b'~' => {
                    url.push(char::from(byte));
                }
                _ => {
                    let _ = write!(url, "%{byte:02X}");
                }
            }
        }
        url
    }
}

impl From<&Path> for FileName {
    fn from(path: &Path) -> Self {
        Self(path.to_path_buf())
    }
}

impl Display for FileName {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        self.0.display().fmt(out)
    }
}

impl Serialize for FileName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let bytes = self.0.as_os_str().as_encoded_bytes();
        let is_text = std::str::from_utf8(bytes).is_ok();
        let mut out = serializer.serialize_struct("FileName", if is_text { 1 } else { 2 })?;
        out.serialize_field("path", &self.0.to_string_lossy())?;
        if !is_text {
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            out.serialize_field("path_bytes", &hex)?;
        }
        out.end()
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    use super::*;

    #[test]
    fn bytes_that_are_no_text_survive() {
        let name = FileName::from(Path::new(OsStr::from_bytes(b"/a b/\xff%.png")));
        assert_eq!(name.url(), "file:///a%20b/%FF%25.png");
        let json = serde_json::to_value(&name).expect("JSON");
        assert_eq!(json["path_bytes"], "2f6120622fff252e706e67");
        let plain = serde_json::to_value(FileName::from(Path::new("/狗"))).expect("JSON");
        assert_eq!(plain, serde_json::json!({ "path": "/狗" }));
    }
}
