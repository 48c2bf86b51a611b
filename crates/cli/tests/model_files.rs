//! Other programs' model folders: what their files say is obeyed, or refused by name.

mod common;

use std::path::{Path, PathBuf};

use common::{copy_pictures, demo_pictures, fail, index, search, succeed, tuwen};
use serde_json::{Value, json};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/model_files").join(name)
}

/// The cases of `scripts/golden/model_files.py`.
fn cases() -> Vec<Value> {
    let text = std::fs::read_to_string(golden("cases.json")).expect("goldens are committed");
    serde_json::from_str(&text).expect("JSON")
}

fn case(library: &str, name: &str) -> Value {
    let found = cases().into_iter().find(|c| c["library"] == library && c["name"] == name);
    found.expect("a case of that name")
}

/// Writes the folder of a case.
fn build(case: &Value, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for (name, json) in case["files"].as_object().expect("files") {
        std::fs::write(to.join(name), json.to_string()).expect("a file");
    }
    let library = case["library"].as_str().expect("a name");
    let weights =
        if library == "open_clip" { "open_clip_model.safetensors" } else { "model.safetensors" };
    std::fs::copy(golden(&format!("{library}.safetensors")), to.join(weights)).expect("a copy");
    let kind = case["tokenizer"].as_str().expect("low or high");
    std::fs::copy(golden(&format!("tokenizer-{kind}.json")), to.join("tokenizer.json"))
        .expect("a copy");
}

fn vector(value: &Value) -> Vec<f64> {
    serde_json::from_value(value.clone()).expect("numbers")
}

fn cosine(a: &[f64], b: &[f64]) -> f64 {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

/// The vectors that `tuwen embed` prints, picture first.
fn embed(home: &Path, args: &[&str]) -> Vec<Vec<f64>> {
    let all: Vec<&str> = ["embed"].iter().chain(args).copied().collect();
    let lines = succeed(home, &all);
    let line = |line: &str| serde_json::from_str::<Value>(line).expect("JSON");
    let (images, texts): (Vec<Value>, Vec<Value>) =
        lines.lines().map(line).partition(|line| line["text"].is_null());
    images.iter().chain(&texts).map(|line| vector(&line["embedding"])).collect()
}

/// Changes one value of a file of a folder.
fn set(folder: &Path, file: &str, pointer: &[&str], value: Value) {
    let path = folder.join(file);
    let text = std::fs::read_to_string(&path).expect("a file");
    let mut json: Value = serde_json::from_str(&text).expect("JSON");
    let place = pointer.iter().fold(&mut json, |json, key| &mut json[*key]);
    *place = value;
    std::fs::write(&path, json.to_string()).expect("a file");
}

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

/// A model with a sigmoid loss, as open_clip keeps it and as we write it.
#[test]
fn a_logit_bias_is_a_part_of_the_model_in_every_layout() {
    let home = tempfile::tempdir().expect("a folder");
    copy_pictures(&["beach.png"], home.path());
    let probability = |model: &str| -> f64 {
        let args =
            ["classify", "--json", "--model", model, "--label", "cat", "--templates", "none"];
        let line = succeed(home.path(), &[&args[..], &["beach.png"]].concat());
        let json: Value = serde_json::from_str(&line).expect("JSON");
        json["labels"][0]["probability"].as_f64().expect("a number")
    };
    let convert = |from: &str, to: &str, layout: &str| {
        let args = ["model", "convert", from, to, "--precision", "f32", "--layout", layout];
        succeed(home.path(), &args);
    };
    for (library, weights, layouts) in [
        ("open_clip", "open_clip_model.safetensors", &["tuwen"][..]),
        ("transformers", "model.safetensors", &["tuwen", "hf"]),
    ] {
        let name = |what: &str| format!("{library}-{what}");
        let (plain, sigmoid) = (name("plain"), name("sigmoid"));
        for model in [&plain, &sigmoid] {
            build(&case(library, "plain"), &home.path().join(model));
        }
        add_tensor(&home.path().join(&sigmoid).join(weights), "logit_bias", &[], &[-3.5]);
        // One label alone: a softmax is certain, a sigmoid is not.
        assert_eq!(probability(&plain), 1.0);
        let wanted = probability(&sigmoid);
        assert!(wanted < 1.0, "{wanted}");
        for layout in layouts {
            convert(&sigmoid, &name(layout), layout);
            let found = probability(&name(layout));
            assert!((found - wanted).abs() < 1e-6, "{library}, {layout}: {found}, {wanted}");
        }
        let error = fail(home.path(), &["model", "convert", &sigmoid, "x.pt"], 1);
        assert!(error.contains("no place for"), "{error}");
    }
    // What transformers' own files cannot say is refused by the conversion.
    let args = ["model", "convert", "open_clip-sigmoid", "x", "--layout", "hf"];
    let error = fail(home.path(), &args, 1);
    assert!(error.contains("no place for") && error.contains("tokenizer"), "{error}");
}

/// The header and the bytes of a safetensors file.
fn parts(path: &Path) -> (serde_json::Map<String, Value>, Vec<u8>) {
    let bytes = std::fs::read(path).expect("weights");
    let size = u64::from_le_bytes(bytes[..8].try_into().expect("8 bytes")) as usize;
    let header = serde_json::from_slice(&bytes[8..8 + size]).expect("a header");
    (header, bytes[8 + size..].to_vec())
}

fn write_parts(path: &Path, header: &serde_json::Map<String, Value>, data: &[u8]) {
    let header = serde_json::to_vec(header).expect("JSON");
    let size = (header.len() as u64).to_le_bytes();
    std::fs::write(path, [&size[..], &header, data].concat()).expect("a file");
}

fn add_tensor(path: &Path, name: &str, shape: &[usize], values: &[f32]) {
    let (mut header, mut data) = parts(path);
    let start = data.len();
    data.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    let tensor = json!({ "dtype": "F32", "shape": shape, "data_offsets": [start, data.len()] });
    header.insert(name.to_owned(), tensor);
    write_parts(path, &header, &data);
}

/// Renames all tensors.
fn rename(path: &Path, new: impl Fn(&str) -> String) {
    let (header, data) = parts(path);
    let renamed = header.into_iter().map(|(name, tensor)| {
        let name = if name == "__metadata__" { name } else { new(&name) };
        (name, tensor)
    });
    write_parts(path, &renamed.collect(), &data);
}

#[test]
fn what_trainers_put_around_names_comes_off() {
    let home = tempfile::tempdir().expect("a folder");
    for (library, weights) in
        [("open_clip", "open_clip_model.safetensors"), ("transformers", "model.safetensors")]
    {
        let case = case(library, "plain");
        for prefix in
            ["module.", "_orig_mod.", "state_dict.model.", "model._orig_mod.module.", "ema_model."]
        {
            let folder = home.path().join("m");
            build(&case, &folder);
            rename(&folder.join(weights), |name| format!("{prefix}{name}"));
            let found = embed(home.path(), &["--model", "m", "--text", "a cat"]);
            let cosine = cosine(&found[0], &vector(&case["texts"][1]));
            assert!(cosine > 0.99999, "{library}, {prefix}: {cosine}");
        }
    }
    // Both: the average is taken, and that is said.
    let (folder, case) = (home.path().join("both"), case("open_clip", "plain"));
    build(&case, &folder);
    let path = folder.join("open_clip_model.safetensors");
    rename(&path, |name| format!("state_dict_ema.{name}"));
    add_tensor(&path, "state_dict.ln_final.weight", &[32], &[9.0; 32]);
    let output = tuwen(home.path(), &["embed", "--model", "both", "--text", "a cat"]);
    let (out, err) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(err.contains("average is taken"), "{err}");
    let line: Value = serde_json::from_str(out.trim()).expect("JSON");
    assert!(cosine(&vector(&line["embedding"]), &vector(&case["texts"][1])) > 0.99999);
}

#[test]
fn sentence_transformers_folders_are_opened_and_other_parts_named() {
    let home = tempfile::tempdir().expect("a folder");
    let (folder, case) = (home.path().join("sbert"), case("transformers", "plain"));
    build(&case, &folder.join("0_CLIPModel"));
    let kind = |name: &str| format!("sentence_transformers.models.{name}");
    let module = |idx: usize, path: &str, name: &str| json!({"idx": idx, "name": idx.to_string(), "path": path, "type": kind(name)});
    let write = |modules: Value| {
        std::fs::write(folder.join("modules.json"), modules.to_string()).expect("a file");
    };
    let clip = || module(0, "0_CLIPModel", "CLIPModel");
    for modules in [json!([clip()]), json!([clip(), module(1, "1_Normalize", "Normalize")])] {
        write(modules);
        let found = embed(home.path(), &["--model", "sbert", "--text", "a cat"]);
        assert!(cosine(&found[0], &vector(&case["texts"][1])) > 0.99999);
    }
    let embed = ["embed", "--model", "sbert", "--text", "x"];
    for (modules, part) in [
        (json!([clip(), module(1, "1_Dense", "Dense")]), "Dense"),
        (json!([module(0, "", "Transformer"), module(1, "1_Pooling", "Pooling")]), "Transformer"),
        (json!([module(0, "../../x", "CLIPModel")]), "leads out"),
        (json!([]), "modules"),
    ] {
        write(modules);
        let error = fail(home.path(), &embed, 1);
        assert!(error.contains(part) && error.contains("modules.json"), "{error}");
    }
    // Newer ones keep the model at the root.
    let root = home.path().join("root");
    build(&case, &root);
    let modules = json!([module(0, "", "CLIPModel")]);
    std::fs::write(root.join("modules.json"), modules.to_string()).expect("a file");
    succeed(home.path(), &["embed", "--model", "root", "--text", "a cat"]);
}

#[test]
fn layouts_that_are_not_read_are_named() {
    let home = tempfile::tempdir().expect("a folder");
    for (file, content, part) in [
        ("adapter_config.json", "{\"base_model_name_or_path\": \"team/base\"}", "team/base"),
        ("model_index.json", "{}", "diffusers"),
        ("model.gguf", "GGUF", "GGUF"),
        ("model.onnx", "", "ONNX"),
        ("tf_model.h5", "", "TensorFlow"),
        ("flax_model.msgpack", "", "JAX"),
        ("config.json", "{\"model_type\": \"t5\"}", "language model"),
        ("config.json", "{\"model_type\": \"blip\"}", "BLIP"),
        ("config.json", "{\"model_type\": \"altclip\"}", "AltCLIP"),
        ("config.json", "{\"model_type\": \"clip_vision_model\"}", "one tower alone"),
        ("notes.txt", "", "neither config.json"),
    ] {
        let folder = home.path().join("m");
        std::fs::create_dir_all(&folder).expect("a folder");
        std::fs::write(folder.join(file), content).expect("a file");
        let error = fail(home.path(), &["embed", "--model", "m", "--text", "x"], 1);
        assert!(error.contains(part), "{file}: {error}");
        std::fs::remove_dir_all(&folder).expect("our own folder");
    }
}

#[test]
fn shards_lie_in_their_folder() {
    let home = tempfile::tempdir().expect("a folder");
    let folder = home.path().join("m");
    build(&case("transformers", "plain"), &folder);
    std::fs::rename(folder.join("model.safetensors"), home.path().join("x.safetensors"))
        .expect("moved");
    let index = json!({ "weight_map": { "logit_scale": "../x.safetensors" } });
    std::fs::write(folder.join("model.safetensors.index.json"), index.to_string()).expect("a file");
    let error = fail(home.path(), &["embed", "--model", "m", "--text", "x"], 1);
    assert!(
        error.contains("../x.safetensors") && error.contains("no file of this folder"),
        "{error}"
    );
}

/// A folder of the built-in model whose weights have one bad value each.
#[test]
fn weights_with_a_nan_are_an_error_everywhere() {
    let home = tempfile::tempdir().expect("a folder");
    copy_pictures(&["beach.png", "bus.png"], &home.path().join("photos"));
    let photo = demo_pictures().join("bus.png");
    let photo = photo.to_str().expect("UTF-8");
    for bad in [f32::NAN, f32::INFINITY] {
        build(&case("transformers", "plain"), &home.path().join("m"));
        let path = home.path().join("m/model.safetensors");
        for name in ["visual_projection.weight", "text_projection.weight"] {
            poison(&path, name, bad);
        }
        // An earlier one is of the model before it was damaged.
        let _ = std::fs::remove_dir_all(home.path().join(".tuwen"));
        let photo_args = ["embed", "--model", "m", "--image", photo];
        let label_args = ["classify", "--model", "m", "--label", "a", "--label", "b", "photos"];
        for args in [&photo_args[..], &label_args, &["index", "--model", "m", "photos"]] {
            let error = fail(home.path(), args, 1);
            let named = error.contains("projection.weight") && error.contains("NaN");
            assert!(named && error.contains("fetch"), "{args:?}: {error}");
        }
    }
    // Finite weights can overflow; then the first vector says so.
    build(&case("transformers", "plain"), &home.path().join("m"));
    poison(&home.path().join("m/model.safetensors"), "visual_projection.weight", 65504.0);
    let (header, _) = parts(&home.path().join("m/model.safetensors"));
    assert!(header.contains_key("vision_model.post_layernorm.weight"));
    let f32s = ["model", "convert", "m", "wide", "--layout", "hf", "--precision", "f32"];
    succeed(home.path(), &f32s);
    poison(&home.path().join("wide/model.safetensors"), "visual_projection.weight", f32::MAX);
    poison(&home.path().join("wide/model.safetensors"), "vision_model.post_layernorm.bias", 1e30);
    let error = fail(home.path(), &["embed", "--model", "wide", "--image", photo], 1);
    assert!(error.contains("picture 1 of 1") && error.contains("not finite"), "{error}");
}

/// Makes the first value of a tensor `bad`.
fn poison(path: &Path, name: &str, bad: f32) {
    let (header, mut data) = parts(path);
    let start = header[name]["data_offsets"][0].as_u64().expect("an offset") as usize;
    match header[name]["dtype"].as_str() {
        Some("F16") => {
            let half: u16 = if bad.is_nan() {
                0x7e00
            } else if bad.is_infinite() {
                0x7c00
            } else {
                0x7bff
            };
            data[start..start + 2].copy_from_slice(&half.to_le_bytes());
        }
        _ => data[start..start + 4].copy_from_slice(&bad.to_le_bytes()),
    }
    write_parts(path, &header, &data);
}

#[test]
fn a_gallery_remembers_how_long_texts_were_read() {
    let home = tempfile::tempdir().expect("a folder");
    copy_pictures(&["beach.png"], &home.path().join("photos"));
    index(home.path(), &["photos", "--long-text", "window"]);
    let error = fail(home.path(), &["search", "a beach"], 1);
    assert!(error.contains("--long-text window"), "{error}");
    succeed(home.path(), &["search", "a beach", "--long-text", "window"]);
    let error = fail(home.path(), &["index", "photos"], 1);
    assert!(error.contains("--long-text window"), "{error}");
    index(home.path(), &["photos", "--rebuild"]);
    succeed(home.path(), &["search", "a beach"]);
    let error = fail(home.path(), &["search", "a beach", "--long-text", "window"], 1);
    assert!(error.contains("--long-text cut"), "{error}");
}

/// Before this program folded full-width letters, the built-in model's configuration did not say so.
#[test]
fn a_gallery_of_an_older_program_stays_open_and_as_it_was() {
    let home = tempfile::tempdir().expect("a folder");
    copy_pictures(&["beach.png", "bus.png"], &home.path().join("photos"));
    let copy = common::word_piece_model(&home.path().join("copy"));
    set(&copy, "config.json", &["fold_width"], json!(false));
    index(home.path(), &["photos", "--model", "copy"]);
    let before = search(home.path(), &["ｂｕｓ"]);
    set(&copy, "config.json", &["fold_width"], json!(true));
    assert_eq!(search(home.path(), &["ｂｕｓ"]), before);
    assert_eq!(index(home.path(), &["photos", "--model", "copy"])["unchanged"], 2);
    // A new one reads them as letters.
    index(home.path(), &["photos", "--model", "copy", "--rebuild"]);
    assert_eq!(search(home.path(), &["ｂｕｓ"]), search(home.path(), &["bus"]));
    assert_ne!(search(home.path(), &["ｂｕｓ"]), before);
}

#[test]
fn full_width_letters_are_letters_and_unknown_words_are_said() {
    let home = tempfile::tempdir().expect("a folder");
    let text = |text: &str| embed(home.path(), &["--text", text]).remove(0);
    assert_eq!(text("ＤＯＧ１２"), text("dog12"));
    copy_pictures(&["beach.png"], &home.path().join("photos"));
    index(home.path(), &["photos"]);
    let said = |query: &str| {
        let output = tuwen(home.path(), &["search", query]);
        assert!(output.status.success());
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    for query in ["שלום", "ሰላም", "שלום ሰላም"] {
        let said = said(query);
        assert!(said.contains("no word") && said.contains("arbitrary"), "{query}: {said}");
    }
    assert!(said("a dog שלום").contains("of"), "a part is unknown");
    assert_eq!(said("a beach"), "");
}
