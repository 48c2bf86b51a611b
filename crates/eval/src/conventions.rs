//! The same numbers under the names of the field's programs.

use serde_json::{Map, Value, json};

use crate::metrics::{CUTOFFS, Direction};
use crate::recall::Report;

/// Chinese-CLIP's `evaluation.py` and `evaluation_tr.py`: R@1, R@5 and R@10 of one direction, in percent.
pub fn chinese_clip(recall: [f64; 3]) -> Value {
    let [r1, r5, r10] = recall;
    let score = (r1 + r5 + r10) / 3.0;
    json!({
        "success": true,
        "score": score,
        "scoreJson": { "score": score, "mean_recall": score, "r1": r1, "r5": r5, "r10": r10 },
    })
}

/// What Chinese-CLIP's programs write when they refuse a file.
pub fn chinese_clip_refusal(detail: &str) -> Value {
    json!({
        "success": false, "score": 0, "scoreJson": {}, "errorDetail": detail, "errorMsg": detail,
    })
}

/// LAVIS (`lavis/tasks/retrieval.py`): `txt_*` is image to text. Its ties go to the later position:
/// rank with [`crate::Ties::HigherFirst`].
pub fn lavis(report: &Report) -> Value {
    let mean = |recall: &[f64; 3]| recall.iter().sum::<f64>() / 3.0;
    let (txt, img) = (&report.image_to_text.recall, &report.text_to_image.recall);
    json!({
        "txt_r1": txt[0], "txt_r5": txt[1], "txt_r10": txt[2], "txt_r_mean": mean(txt),
        "img_r1": img[0], "img_r5": img[1], "img_r10": img[2], "img_r_mean": mean(img),
        "r_mean": (mean(txt) + mean(img)) / 2.0, "agg_metrics": mean(txt),
    })
}

/// CLIP_benchmark (`zeroshot_retrieval.py`): fractions; `image_retrieval` is text to image.
pub fn clip_benchmark(report: &Report) -> Value {
    let mut out = Map::new();
    for (at, k) in CUTOFFS.iter().enumerate() {
        let fraction = |direction: &Direction| json!(direction.recall[at] / 100.0);
        out.insert(format!("image_retrieval_recall@{k}"), fraction(&report.text_to_image));
        out.insert(format!("text_retrieval_recall@{k}"), fraction(&report.image_to_text));
    }
    Value::Object(out)
}

/// open_clip (`get_clip_metrics`): fractions. It knows one caption a picture: give it such a set.
pub fn open_clip(report: &Report) -> Value {
    let mut out = Map::new();
    for (name, direction) in
        [("image_to_text", &report.image_to_text), ("text_to_image", &report.text_to_image)]
    {
        out.insert(format!("{name}_mean_rank"), json!(direction.mean_rank));
        // The median of ranks from 0 on, rounded down, and one more.
        out.insert(
            format!("{name}_median_rank"),
            json!((direction.median_rank - 1.0).floor() + 1.0),
        );
        for (at, k) in CUTOFFS.iter().enumerate() {
            out.insert(format!("{name}_R@{k}"), json!(direction.recall[at] / 100.0));
        }
    }
    Value::Object(out)
}

/// The Taidi Cup's measure: R@5 both ways, in percent.
pub fn taidi(report: &Report) -> Value {
    json!({
        "text_to_image_R@5": report.text_to_image.recall[1],
        "image_to_text_R@5": report.image_to_text.recall[1],
    })
}
