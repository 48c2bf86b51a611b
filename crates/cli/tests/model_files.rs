//! Other programs' model folders: what their files say is obeyed, or refused by name.

mod common;
mod others_models;

use common::fail;
use others_models::{build, case, cases, cosine, embed, golden, set, vector};
use serde_json::{Value, json};

#[test]
fn every_setting_gives_what_its_library_gives() {
    let home = tempfile::tempdir().expect("a folder");
    let picture = golden("picture.png");
    let cases = cases();
    assert!(cases.len() >= 33);
    for case in cases {
        let (library, name) = (&case["library"], case["name"].as_str().expect("a name"));
        build(&case, &home.path().join(name));
        let args = ["--model", name, "--image", picture.to_str().expect("UTF-8")];
        let words = ["a dog runs on the grass", "a cat", "a dog, runs &amp; the_cat!"];
        let texts = words.iter().flat_map(|text| ["--text", text]);
        let args: Vec<&str> = args.into_iter().chain(texts).collect();
        let found = embed(home.path(), &args);
        let wanted = std::iter::once(&case["image"]).chain(case["texts"].as_array().expect("rows"));
        for (at, (found, wanted)) in found.iter().zip(wanted).enumerate() {
            let pairs = found.iter().zip(vector(wanted));
            let worst = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            assert!(worst < 1e-5, "{library}, {name}, row {at}: differs by {worst}");
        }
        assert_eq!(found.len(), 4);
        std::fs::remove_dir_all(home.path().join(name)).expect("our own folder");
    }
}

#[test]
fn what_cannot_be_obeyed_is_refused_with_file_key_value_and_cure() {
    let home = tempfile::tempdir().expect("a folder");
    let folder = home.path().join("m");
    let config = "open_clip_config.json";
    let (model, text) = (["model_cfg"], ["model_cfg", "text_cfg"]);
    let (vision, pre) = (["model_cfg", "vision_cfg"], ["preprocess_cfg"]);
    let open_clip: [(&[&str], &str, Value, &str); 21] = [
        (&vision, "ls_init_value", json!(1e-4), "LayerScale"),
        (&vision, "attentional_pool", json!(true), "attentional"),
        (&vision, "timm_model_name", json!("vit_x"), "timm"),
        (&vision, "pool_type", json!("none"), "tok and avg"),
        (&vision, "qk_norm", json!(true), "standard block"),
        (&vision, "image_size", json!(224), "32"),
        (&vision, "image_size", json!([32, 40]), "squares"),
        (&vision, "act_kwargs", json!({"inplace": true}), "tanh"),
        (&vision, "norm_kwargs", json!({"elementwise_affine": false}), "eps"),
        (&text, "hf_model_name", json!("roberta-base"), "text tower"),
        (&text, "embed_cls", json!(true), "CoCa"),
        (&text, "pool_type", json!("none"), "argmax and eos"),
        (&text, "proj_type", json!("none"), "projection"),
        (&text, "tokenizer_kwargs", json!({"language": "en"}), "clean"),
        (&text, "tokenizer_mode", json!("clips"), "standard mode"),
        (&text, "context_length", json!(77), "12"),
        (&text, "a_new_key", json!("on"), "not known"),
        (&model, "multimodal_cfg", json!({"width": 8}), "CoCa"),
        (&pre, "resize_mode", json!("fit"), "squash"),
        (&pre, "interpolation", json!("lanczos"), "bilinear"),
        (&pre, "mean", json!([0.5, 0.5]), "3 channels"),
    ];
    let at = |pointer: &[&str], key: &str| [pointer, &[key]].concat().join(".");
    for (pointer, key, value, cure) in open_clip {
        build(&case("open_clip", "plain"), &folder);
        set(&folder, config, &[pointer, &[key]].concat(), value.clone());
        let error = fail(home.path(), &["embed", "--model", "m", "--text", "x"], 1);
        for part in [config, &at(pointer, key), &value.to_string(), cure] {
            assert!(error.contains(part), "{key}: `{part}` is not in {error}");
        }
    }
    let (processor, config) = ("preprocessor_config.json", "config.json");
    let transformers: [(&str, &[&str], Value, &str); 20] = [
        (processor, &["resample"], json!(6), "0 to 5"),
        (processor, &["size"], json!({"longest_edge": 32}), "shortest edge"),
        (processor, &["crop_size"], json!({"height": 32, "width": 30}), "squares"),
        (processor, &["crop_size"], json!(224), "image_size is 32"),
        (processor, &["do_center_crop"], json!(false), "oblong"),
        (processor, &["do_pad"], json!(true), "padding"),
        (processor, &["do_resize"], json!("yes"), "true or false"),
        (processor, &["rescale_factor"], json!(-1.0), "positive"),
        (processor, &["image_std"], json!([0.0, 1.0, 1.0]), "not positive"),
        (processor, &["image_processor_type"], json!("ViTImageProcessor"), "CLIPImageProcessor"),
        (processor, &["sharpen"], json!(2), "not known"),
        (config, &["text_config", "hidden_act"], json!("relu"), "quick_gelu"),
        (config, &["text_config", "position_embedding_type"], json!("rope"), "table of positions"),
        (config, &["text_config", "eos_token_id"], json!("last"), "whole number"),
        (config, &["vision_config", "num_channels"], json!(4), "3 channels"),
        (config, &["vision_config", "image_size"], json!([32, 16]), "squares"),
        (config, &["vision_config", "use_registers"], json!(4), "not known"),
        (config, &["quantization_config"], json!({"bits": 4}), "plain ones"),
        (config, &["auto_map"], json!({"AutoModel": "x"}), "own code"),
        ("tokenizer_config.json", &["do_lower_case"], json!(true), "tokenizer.json"),
    ];
    for (file, pointer, value, cure) in transformers {
        build(&case("transformers", "plain"), &folder);
        set(&folder, file, pointer, value.clone());
        let error = fail(home.path(), &["embed", "--model", "m", "--image", "x.png"], 1);
        let key = pointer.last().expect("a key");
        let what = if *key == "do_center_crop" { "size" } else { key };
        for part in [file, what, cure] {
            assert!(error.contains(part), "{key}: `{part}` is not in {error}");
        }
    }
}

#[test]
fn values_that_say_off_are_no_hindrance() {
    let home = tempfile::tempdir().expect("a folder");
    let folder = home.path().join("m");
    build(&case("transformers", "plain"), &folder);
    for (key, value) in [
        ("a_new_switch", json!(false)),
        ("a_new_list", json!([])),
        ("a_new_name", json!(null)),
        ("some_dropout", json!(0.1)),
        ("vision_config_dict", json!(null)),
    ] {
        set(&folder, "config.json", &[key], value);
    }
    assert_eq!(embed(home.path(), &["--model", "m", "--text", "a cat"]).len(), 1);
}

/// A dump of all settings, as transformers 4.16 wrote it.
#[test]
fn old_files_with_all_their_keys_are_read() {
    let home = tempfile::tempdir().expect("a folder");
    let (folder, case) = (home.path().join("m"), case("transformers", "plain"));
    build(&case, &folder);
    let dump: Value = serde_json::from_str(
        r#"{"_name_or_path": "", "add_cross_attention": false, "architectures": null,
        "attention_dropout": 0.0, "bad_words_ids": null, "bos_token_id": 0,
        "chunk_size_feed_forward": 0, "cross_attention_hidden_size": null, "diversity_penalty": 0.0,
        "do_sample": false, "dropout": 0.0, "early_stopping": false, "finetuning_task": null,
        "gradient_checkpointing": false, "id2label": {"0": "LABEL_0"}, "label2id": {"LABEL_0": 0},
        "initializer_factor": 1.0, "initializer_range": 0.02, "is_decoder": false,
        "is_encoder_decoder": false, "length_penalty": 1.0, "max_length": 20, "min_length": 0,
        "no_repeat_ngram_size": 0, "num_beam_groups": 1, "num_beams": 1, "num_return_sequences": 1,
        "output_attentions": false, "output_hidden_states": false, "output_scores": false,
        "prefix": null, "problem_type": null, "projection_dim": 8, "pruned_heads": {},
        "remove_invalid_values": false, "repetition_penalty": 1.0, "return_dict": true,
        "return_dict_in_generate": false, "sep_token_id": null, "task_specific_params": null,
        "temperature": 1.0, "tie_encoder_decoder": false, "tie_word_embeddings": true,
        "tokenizer_class": null, "top_k": 50, "top_p": 1.0, "torch_dtype": "float32",
        "torchscript": false, "transformers_version": "4.16.0.dev0", "typical_p": 1.0,
        "use_bfloat16": false, "model_type": "clip_text_model"}"#,
    )
    .expect("JSON");
    for (key, value) in dump.as_object().expect("settings") {
        for part in ["text_config", "vision_config"] {
            set(&folder, "config.json", &[part, key], value.clone());
        }
    }
    for (key, value) in [
        ("text_config_dict", json!(null)),
        ("vision_config_dict", json!(null)),
        ("logit_scale_init_value", json!(2.6592)),
        ("architectures", json!(["CLIPModel"])),
    ] {
        set(&folder, "config.json", &[key], value);
    }
    // Sizes as numbers, and the processor's old name.
    let old = json!({"crop_size": 32, "size": 32, "do_center_crop": true, "do_normalize": true,
        "do_resize": true, "feature_extractor_type": "CLIPFeatureExtractor", "resample": 3,
        "image_mean": [0.48145466, 0.4578275, 0.40821073],
        "image_std": [0.26862954, 0.26130258, 0.27577711]});
    std::fs::write(folder.join("preprocessor_config.json"), old.to_string()).expect("a file");
    let picture = golden("picture.png");
    let args = ["--model", "m", "--text", "a cat", "--image", picture.to_str().expect("UTF-8")];
    let found = embed(home.path(), &args);
    assert!(cosine(&found[0], &vector(&case["image"])) > 0.99999);
    assert!(cosine(&found[1], &vector(&case["texts"][1])) > 0.99999);
}

/// Old files have the towers a second time; transformers then takes these alone.
#[test]
fn a_second_copy_of_a_towers_settings_wins() {
    let home = tempfile::tempdir().expect("a folder");
    let (folder, case) = (home.path().join("m"), case("transformers", "plain"));
    build(&case, &folder);
    let words = case["files"]["config.json"]["text_config"].clone();
    set(&folder, "config.json", &["text_config_dict"], words);
    set(&folder, "config.json", &["text_config", "num_attention_heads"], json!(1));
    let found = embed(home.path(), &["--model", "m", "--text", "a cat"]);
    assert!(cosine(&found[0], &vector(&case["texts"][1])) > 0.99999);
}

#[test]
fn a_vocabulary_of_its_own_needs_its_file() {
    let home = tempfile::tempdir().expect("a folder");
    let folder = home.path().join("m");
    let refused = |cure: &str| {
        let error = fail(home.path(), &["embed", "--model", "m", "--text", "x"], 1);
        assert!(error.contains(cure), "{cure}: {error}");
    };
    build(&case("open_clip", "plain"), &folder);
    std::fs::remove_file(folder.join("tokenizer.json")).expect("a file");
    refused("put its tokenizer.json beside the weights");
    // Another model's: it ends a text elsewhere.
    std::fs::copy(golden("tokenizer-high.json"), folder.join("tokenizer.json")).expect("a copy");
    refused("ends a text with token 59");

    std::fs::remove_dir_all(&folder).expect("our own folder");
    build(&case("transformers", "plain"), &folder);
    std::fs::remove_file(folder.join("tokenizer.json")).expect("a file");
    std::fs::write(folder.join("vocab.json"), "{\"a\": 0, \"b\": 1}").expect("a file");
    refused("AutoTokenizer");
}
