//! Where weights lie and what they are called: every layout is opened, or named where it is not read.

mod common;
mod others_models;

use std::path::Path;

use common::{copy_pictures, fail, succeed, tuwen};
use others_models::{build, case, cosine, embed, parts, vector, write_parts};
use serde_json::{Value, json};

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
        ("config.json", "{\"model_type\": \"blip-2\"}", "weights are missing"),
        ("config.json", "{\"model_type\": \"instructblip\"}", "InstructBLIP"),
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
