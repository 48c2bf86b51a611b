//! Files that anybody may have written: read within limits (`file`), in whatever encoding (`encoding`), Python's
//! pickle as data (`pickle`); one writer at a time (`lock`), and folders that appear whole (`staged`).
//!
//! The one error type of what is read and written lives here as well: pictures, texts and sets add to it by its
//! variants and not by types of their own, because a reader of a set meets all of them.
//!
//! ```
//! use tuwen_files::encoding::decode;
//!
//! let gbk = b"\xd2\xbb\xd6\xbb\xb9\xb7\xd4\xda\xd1\xa9\xb5\xd8\xc0\xef\xb1\xbc\xc5\xdc";
//! assert_eq!(decode(gbk)?, "一只狗在雪地里奔跑");
//! # Ok::<(), String>(())
//! ```

pub mod encoding;
pub mod error;
pub mod file;
pub mod lock;
pub mod pickle;
pub mod staged;

pub use error::{Error, Result};
