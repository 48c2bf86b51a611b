//! CLIPScore: what an image-text model thinks of captions.

/// How much the cosine is stretched.
const WEIGHT: f64 = 2.5;

/// CLIPScore: `2.5 · max(cos(picture, caption), 0)`.
///
/// Hessel et al., "CLIPScore: A Reference-free Evaluation Metric for Image Captioning" (2021),
/// <https://github.com/jmhessel/clipscore>. The paper's numbers are those of CLIP ViT-B/32; another model's cosines
/// are others, so that scores compare only where one model gave both.
pub fn clip_score(cosine: f64) -> f64 {
    WEIGHT * cosine.max(0.0)
}

/// RefCLIPScore: the harmonic mean of [`clip_score`] and `max_r max(cos(caption, reference r), 0)`; 0 where one of
/// them is.
pub fn ref_clip_score(cosine: f64, references: &[f64]) -> f64 {
    let of_picture = clip_score(cosine);
    let of_references = references.iter().copied().fold(0.0, f64::max);
    if of_picture == 0.0 || of_references == 0.0 {
        return 0.0;
    }
    2.0 * of_picture * of_references / (of_picture + of_references)
}
