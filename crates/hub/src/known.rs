//! The published models that tuwen knows by name.

use std::path::Path;

use tuwen_encode::ModelConfig;

/// A published model.
#[derive(Debug)]
pub struct Known {
    /// As people know it.
    pub name: &'static str,
    /// `ORG/NAME` on HF's hub.
    pub repo: &'static str,
    files: Files,
    json: &'static str,
}

/// In which files a repository keeps its model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Files {
    /// transformers' folder.
    Folder,
    /// The same with a tokenizer of its own.
    Tokenizer,
    /// open_clip's folder.
    OpenClip,
    /// The same with a tokenizer of its own.
    OpenClipTokenizer,
    /// One file of cn_clip.
    Torch,
}

use Files::{Folder, OpenClip, OpenClipTokenizer, Tokenizer, Torch};

macro_rules! known {
    ($name:literal, $repo:literal, $files:ident) => {
        Known {
            name: $name,
            repo: $repo,
            files: $files,
            json: include_str!(concat!("../../../configs/models/", $name, ".json")),
        }
    };
}

/// All of them, by family and size.
pub const KNOWN: &[Known] = &[
    known!("chinese-clip-rn50", "OFA-Sys/chinese-clip-rn50", Torch),
    known!("chinese-clip-vit-base-patch16", "OFA-Sys/chinese-clip-vit-base-patch16", Folder),
    known!("chinese-clip-vit-large-patch14", "OFA-Sys/chinese-clip-vit-large-patch14", Folder),
    known!(
        "chinese-clip-vit-large-patch14-336px",
        "OFA-Sys/chinese-clip-vit-large-patch14-336px",
        Folder
    ),
    known!("chinese-clip-vit-huge-patch14", "OFA-Sys/chinese-clip-vit-huge-patch14", Folder),
    // QA-CLIP is Chinese-CLIP trained on cleaner data: <https://github.com/TencentARC-QQ/QA-CLIP>.
    known!("qa-clip-vit-base-patch16", "TencentARC/QA-CLIP-ViT-B-16", Folder),
    known!("qa-clip-vit-large-patch14", "TencentARC/QA-CLIP-ViT-L-14", Folder),
    known!("clip-rn50", "timm/resnet50_clip.openai", OpenClip),
    known!("clip-rn101", "timm/resnet101_clip.openai", OpenClip),
    known!("clip-rn50x4", "timm/resnet50x4_clip.openai", OpenClip),
    known!("clip-rn50x16", "timm/resnet50x16_clip.openai", OpenClip),
    known!("clip-rn50x64", "timm/resnet50x64_clip.openai", OpenClip),
    known!("clip-vit-base-patch32", "openai/clip-vit-base-patch32", Folder),
    known!("clip-vit-base-patch16", "openai/clip-vit-base-patch16", Folder),
    known!("clip-vit-large-patch14", "openai/clip-vit-large-patch14", Folder),
    known!("clip-vit-large-patch14-336", "openai/clip-vit-large-patch14-336", Folder),
    known!("clip-vit-b-32-laion2b", "laion/CLIP-ViT-B-32-laion2B-s34B-b79K", Folder),
    known!("clip-vit-h-14-laion2b", "laion/CLIP-ViT-H-14-laion2B-s32B-b79K", Folder),
    known!(
        "clip-vit-b-32-xlm-roberta-base",
        "laion/CLIP-ViT-B-32-xlm-roberta-base-laion5B-s13B-b90k",
        OpenClipTokenizer
    ),
    known!("metaclip-2-worldwide-s16", "facebook/metaclip-2-worldwide-s16", Tokenizer),
    known!("metaclip-2-worldwide-m16", "facebook/metaclip-2-worldwide-m16", Tokenizer),
    known!("metaclip-2-worldwide-b32", "facebook/metaclip-2-worldwide-b32", Tokenizer),
    known!("siglip-base-patch16-224", "google/siglip-base-patch16-224", Tokenizer),
    known!("siglip2-base-patch16-224", "google/siglip2-base-patch16-224", Tokenizer),
    known!("siglip2-base-patch16-naflex", "google/siglip2-base-patch16-naflex", Tokenizer),
    known!("fg-clip-2-base", "qihoo360/fg-clip2-base", Tokenizer),
    known!("blip-itm-base-coco", "Salesforce/blip-itm-base-coco", Tokenizer),
    known!("blip2-itm-vit-g", "Salesforce/blip2-itm-vit-g", Tokenizer),
];

impl Known {
    /// The model of that name, or of that repository.
    ///
    /// ```
    /// let known = tuwen_hub::Known::find("siglip2-base-patch16-224").expect("a published model");
    /// assert_eq!(known.repo, "google/siglip2-base-patch16-224");
    /// assert_eq!(known.config().preprocess.size, 224);
    /// ```
    pub fn find(name: &str) -> Option<&'static Known> {
        KNOWN.iter().find(|known| known.name == name || known.repo == name)
    }

    /// Its architecture.
    ///
    /// # Panics
    /// Never: a test reads every file.
    pub fn config(&self) -> ModelConfig {
        ModelConfig::parse(self.json, Path::new(self.name)).expect("a test reads every file")
    }

    /// The same model on ModelScope, where we know that there is one
    /// (<https://github.com/OFA-Sys/Chinese-CLIP/blob/master/cn_clip/clip/utils.py>).
    pub fn modelscope(&self) -> Option<String> {
        Some(format!("AI-ModelScope/{}", self.repo.strip_prefix("OFA-Sys/")?))
    }

    /// Which files of the repository make the model, for people.
    pub fn files(&self) -> &'static str {
        match self.files {
            Folder => {
                "config.json, preprocessor_config.json and model.safetensors (or pytorch_model.bin)"
            }
            Tokenizer => {
                "config.json, preprocessor_config.json, tokenizer.json and model.safetensors"
            }
            OpenClip => {
                "open_clip_config.json and open_clip_model.safetensors (or \
                 open_clip_pytorch_model.bin)"
            }
            OpenClipTokenizer => {
                "open_clip_config.json, tokenizer.json and open_clip_model.safetensors (or \
                 open_clip_pytorch_model.bin)"
            }
            Torch => "clip_cn_rn50.pt",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_architecture_reads_and_has_its_published_size() {
        // Millions; Chinese-CLIP's README, OpenAI's and open_clip's published weights.
        let sizes = [
            ("chinese-clip-rn50", 77),
            ("chinese-clip-vit-base-patch16", 188),
            ("chinese-clip-vit-large-patch14", 406),
            ("chinese-clip-vit-large-patch14-336px", 407),
            ("chinese-clip-vit-huge-patch14", 958),
            ("qa-clip-vit-base-patch16", 188),
            ("qa-clip-vit-large-patch14", 406),
            ("clip-rn50", 102),
            ("clip-rn101", 120),
            ("clip-rn50x4", 178),
            ("clip-rn50x16", 291),
            ("clip-rn50x64", 623),
            ("clip-vit-base-patch32", 151),
            ("clip-vit-base-patch16", 150),
            ("clip-vit-large-patch14", 428),
            ("clip-vit-large-patch14-336", 428),
            ("clip-vit-b-32-laion2b", 151),
            ("clip-vit-h-14-laion2b", 986),
            ("clip-vit-b-32-xlm-roberta-base", 366),
            ("metaclip-2-worldwide-s16", 390),
            ("metaclip-2-worldwide-m16", 538),
            ("metaclip-2-worldwide-b32", 588),
            ("siglip-base-patch16-224", 203),
            ("siglip2-base-patch16-224", 375),
            ("siglip2-base-patch16-naflex", 375),
            ("fg-clip-2-base", 384),
            ("blip-itm-base-coco", 224),
            ("blip2-itm-vit-g", 1172),
        ];
        assert_eq!(sizes.len(), KNOWN.len());
        for (known, (name, millions)) in KNOWN.iter().zip(sizes) {
            let config = known.config();
            assert_eq!((known.name, config.name.as_str()), (name, name));
            let found = config.parameters() as f64 / 1e6;
            assert!((found - f64::from(millions)).abs() < 1.0, "{name}: {found} million");
        }
    }
}
