//! A thread that learns what scores mean in each gallery, once the server is ready, and again when a gallery has
//! become much larger or smaller.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use tuwen_encode::{CpuEncoder, Encoder};
use tuwen_retrieve::Calibration;

use crate::state::Inner;

/// Texts that are embedded at once.
const TOGETHER: usize = 8;
/// How often it is looked whether something is to be learned.
const PAUSE: Duration = Duration::from_millis(500);

/// Vectors of the calibration's list, by the fingerprint of the model.
type Backgrounds = HashMap<String, Arc<[f32]>>;

/// Starts the thread, which ends with the state.
pub(crate) fn start(state: Weak<Inner>) -> std::io::Result<()> {
    let run = move || {
        let mut backgrounds = Backgrounds::new();
        // What is wrong is said once, and not twice a second.
        let mut said: HashMap<String, String> = HashMap::new();
        while let Some(state) = state.upgrade() {
            for shelf in state.shelves.iter().filter(|_| state.is_ready()) {
                let background = |encoder: &Arc<CpuEncoder>| background(&mut backgrounds, encoder);
                let name = &shelf.source.name;
                let Err(error) = shelf.calibrate(background) else {
                    said.remove(name);
                    continue;
                };
                let error = error.to_string();
                if said.get(name) != Some(&error) {
                    tracing::warn!(gallery = name, error, "scores are not calibrated");
                    said.insert(name.clone(), error);
                }
            }
            drop(state);
            std::thread::sleep(PAUSE);
        }
    };
    std::thread::Builder::new().name("calibrate".into()).spawn(run).map(drop)
}

fn background(
    known: &mut Backgrounds,
    encoder: &Arc<CpuEncoder>,
) -> tuwen_retrieve::Result<Arc<[f32]>> {
    if let Some(vectors) = known.get(encoder.fingerprint()) {
        return Ok(Arc::clone(vectors));
    }
    let texts = Calibration::background();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let mut vectors = Vec::new();
    // A few at a time, and as long a pause: queries have the processor first.
    for some in texts.chunks(TOGETHER) {
        let began = Instant::now();
        vectors.extend(encoder.encode_texts(some)?);
        std::thread::sleep(began.elapsed());
    }
    let vectors: Arc<[f32]> = vectors.into();
    known.insert(encoder.fingerprint().to_owned(), Arc::clone(&vectors));
    Ok(vectors)
}
