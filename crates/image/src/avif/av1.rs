//! One AV1 picture by rav1d, a port of dav1d to Rust that keeps dav1d's interface of pointers.

use std::mem::MaybeUninit;
use std::ptr::NonNull;

use rav1d::Dav1dResult;
use rav1d::include::dav1d::data::Dav1dData;
use rav1d::include::dav1d::dav1d::{Dav1dContext, Dav1dLogger, Dav1dSettings};
use rav1d::include::dav1d::headers::{
    DAV1D_PIXEL_LAYOUT_I400, DAV1D_PIXEL_LAYOUT_I420, DAV1D_PIXEL_LAYOUT_I422,
};
use rav1d::include::dav1d::picture::Dav1dPicture;
use rav1d::src::lib::{
    dav1d_close, dav1d_data_create, dav1d_data_unref, dav1d_default_settings, dav1d_get_picture,
    dav1d_open, dav1d_picture_unref, dav1d_send_data,
};

use super::container::Size;
use super::wrong;
use tuwen_files::Result;

/// Threads of a decoder. With one only, rav1d 1.1 panics at every damaged picture, and a panic behind its
/// interface ends the program.
const THREADS: i32 = 2;

/// A decoder for one picture.
pub(super) struct Decoder(Option<Dav1dContext>);

/// The planes of a picture, each value in 16 bits, rows without gaps.
pub(super) struct Planes {
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// Brightness, and two of colour where there is any.
    pub planes: Vec<Vec<u16>>,
    /// By how many bits the colour planes are narrower and lower.
    pub shift: (u32, u32),
    /// Bits of a value.
    pub bits: u32,
    /// Number of the matrix (ITU-T H.273, table 4), as the stream says.
    pub matrix: u16,
    /// Whether the values use all numbers, as the stream says.
    pub full_range: bool,
}

impl Decoder {
    /// For a picture of at most that width and height.
    pub(super) fn new(largest: Size) -> Result<Self> {
        let pixels = largest.width.saturating_mul(largest.height);
        let mut settings = MaybeUninit::<Dav1dSettings>::uninit();
        let mut decoder = Self(None);
        // SAFETY: `settings` is valid for writing, is initialised by the first call and only read by the
        // last; no callback is given that could be called; `decoder.0` is valid for writing.
        let opened = unsafe {
            dav1d_default_settings(NonNull::from(&mut settings).cast());
            let settings = settings.assume_init_mut();
            settings.n_threads = THREADS;
            settings.max_frame_delay = THREADS;
            settings.apply_grain = 1;
            settings.all_layers = 0;
            // 0 would be no limit.
            settings.frame_size_limit = pixels.max(1);
            // What is wrong is said by the error.
            settings.logger = Dav1dLogger::new(None, None);
            dav1d_open(Some(NonNull::from(&mut decoder.0)), Some(NonNull::from(settings)))
        };
        check(opened)?;
        Ok(decoder)
    }

    /// Decodes one item; of several layers the last, which is the whole picture.
    pub(super) fn decode(&self, stream: &[u8]) -> Result<Planes> {
        let mut data = Data::of(stream)?;
        let mut last = None;
        loop {
            // SAFETY: the context is from `dav1d_open` and closed in `drop` only; `data.0` is valid.
            let sent = unsafe { dav1d_send_data(self.0, Some(NonNull::from(&mut data.0))) };
            let waits = is_waiting(sent)?;
            let before = last.is_some();
            // The first time it gives what is ready, from the second time on it waits for the rest.
            for _ in 0..2 {
                while let Some(frame) = self.next_frame()? {
                    last = Some(frame);
                }
            }
            match (waits, &last) {
                (false, Some(frame)) => return frame.planes(),
                // It did not take the data because a picture was in the way.
                (true, Some(_)) if !before => {}
                _ => return Err(wrong("there is no picture in its AV1 stream")),
            }
        }
    }

    /// A picture that is ready.
    fn next_frame(&self) -> Result<Option<Frame>> {
        let mut frame = Frame(Dav1dPicture::default());
        // SAFETY: the context is from `dav1d_open` and closed in `drop` only; `frame.0` is valid for
        // writing and owns nothing yet.
        let got = unsafe { dav1d_get_picture(self.0, Some(NonNull::from(&mut frame.0))) };
        Ok((!is_waiting(got)?).then_some(frame))
    }
}

impl Drop for Decoder {
    fn drop(&mut self) {
        // SAFETY: the context is from `dav1d_open`, or nothing, and is not used any more.
        unsafe { dav1d_close(Some(NonNull::from(&mut self.0))) };
    }
}

/// Encoded bytes that the decoder may keep.
struct Data(Dav1dData);

impl Data {
    fn of(stream: &[u8]) -> Result<Self> {
        let mut data = Self(Dav1dData::default());
        // SAFETY: `data.0` is valid for writing.
        let room = unsafe { dav1d_data_create(Some(NonNull::from(&mut data.0)), stream.len()) };
        let room = NonNull::new(room).ok_or_else(|| wrong("its AV1 stream is empty"))?;
        // SAFETY: `room` has `stream.len()` bytes, made for this, and cannot overlap with ours.
        unsafe { std::ptr::copy_nonoverlapping(stream.as_ptr(), room.as_ptr(), stream.len()) };
        Ok(data)
    }
}

impl Drop for Data {
    fn drop(&mut self) {
        // SAFETY: it is ours, or empty because the decoder took it.
        unsafe { dav1d_data_unref(Some(NonNull::from(&mut self.0))) };
    }
}

/// A decoded picture in the decoder's memory.
struct Frame(Dav1dPicture);

impl Drop for Frame {
    fn drop(&mut self) {
        // SAFETY: it is ours, or empty.
        unsafe { dav1d_picture_unref(Some(NonNull::from(&mut self.0))) };
    }
}

impl Frame {
    fn planes(&self) -> Result<Planes> {
        let Dav1dPicture { p, seq_hdr, .. } = &self.0;
        let size = |side: i32| u32::try_from(side).map_err(wrong);
        let (width, height) = (size(p.w)?, size(p.h)?);
        let shift = match p.layout {
            DAV1D_PIXEL_LAYOUT_I420 => (1, 1),
            DAV1D_PIXEL_LAYOUT_I422 => (1, 0),
            _ => (0, 0),
        };
        // SAFETY: the header lives as long as the picture that points to it.
        let header = unsafe { seq_hdr.ok_or_else(|| wrong("it has no header"))?.as_ref() };
        let mut planes = vec![self.plane(0, width, height)?];
        if p.layout != DAV1D_PIXEL_LAYOUT_I400 {
            let (width, height) = (half(width, shift.0), half(height, shift.1));
            planes.push(self.plane(1, width, height)?);
            planes.push(self.plane(2, width, height)?);
        }
        Ok(Planes {
            width,
            height,
            planes,
            shift,
            bits: u32::try_from(p.bpc).map_err(wrong)?,
            matrix: u16::try_from(header.mtrx).map_err(wrong)?,
            full_range: header.color_range != 0,
        })
    }

    /// A copy of a plane.
    fn plane(&self, index: usize, width: u32, height: u32) -> Result<Vec<u16>> {
        let start = self.0.data[index].ok_or_else(|| wrong("a plane is missing"))?;
        let stride = self.0.stride[usize::from(index > 0)];
        let wide = self.0.p.bpc > 8;
        let row_bytes = width as usize * if wide { 2 } else { 1 };
        if stride.unsigned_abs() < row_bytes {
            return Err(wrong("its rows overlap"));
        }
        let mut out = Vec::with_capacity(width as usize * height as usize);
        for row in 0..height as isize {
            // SAFETY: the decoder's plane has `height` rows that begin `stride` bytes apart and have at
            // least `width` values; it lives as long as `self` and nobody writes to it any more.
            let bytes = unsafe {
                let row = start.as_ptr().cast::<u8>().offset(row * stride);
                std::slice::from_raw_parts(row, row_bytes)
            };
            match wide {
                true => {
                    out.extend(bytes.as_chunks().0.iter().map(|&pair| u16::from_ne_bytes(pair)))
                }
                false => out.extend(bytes.iter().map(|&value| u16::from(value))),
            }
        }
        Ok(out)
    }
}

/// A side of a colour plane: rounded up.
pub(super) fn half(side: u32, shift: u32) -> u32 {
    (side + shift) >> shift
}

/// rav1d's results are zero or a negative error number.
fn check(result: Dav1dResult) -> Result<()> {
    match result.0 {
        0 => Ok(()),
        number => {
            let what = std::io::Error::from_raw_os_error(number.saturating_neg());
            Err(wrong(format!("its AV1 stream is damaged or not supported ({what})")))
        }
    }
}

/// Whether the decoder must be fed or emptied first; any other failure is an error.
fn is_waiting(result: Dav1dResult) -> Result<bool> {
    let error = std::io::Error::from_raw_os_error(result.0.saturating_neg());
    match result.0 != 0 && error.kind() == std::io::ErrorKind::WouldBlock {
        true => Ok(true),
        false => check(result).map(|()| false),
    }
}
