//! Captions by a model that talks, at an address.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use serde_json::json;
use tuwen_image::{Limits, decode_file};
use tuwen_retrieve::FileName;
use tuwen_retrieve::walk::Found;

use super::{Args, write_beside};
use crate::chat::Chat;
use crate::endpoint;
use crate::query::{Usage, in_words};
use crate::terminal::{note, say};

/// What a model is asked in each language.
const ASKED: [(&str, &str); 2] = [
    ("en", "Describe the picture in one short English sentence. Answer with the sentence alone."),
    ("zh", "用一句简短的中文描述这张图片，只回答这句话。"),
];

/// The languages that are asked for, all that are known where none is named.
///
/// # Errors
/// One that is not known, or an option that a model at an address does not take.
pub(super) fn questions(args: &Args) -> Result<Vec<(&'static str, &'static str)>> {
    let choice = &args.choice;
    let others = [
        ("--candidates", choice.candidates.is_some()),
        ("--sample", choice.sample.is_some()),
        ("--rerank", choice.rerank),
        ("--decoder", args.decoder.is_some()),
    ];
    if let Some((name, _)) = others.into_iter().find(|&(_, given)| given) {
        bail!(Usage(format!("{name} is for a decoder here, not for a model at an --endpoint")));
    }
    if args.languages.is_empty() {
        return Ok(ASKED.to_vec());
    }
    let known = |language: &String| {
        let found = ASKED.iter().find(|(known, _)| known == language).copied();
        found.ok_or_else(|| {
            Usage(format!("--lang: `{language}` is not there: en and zh are")).into()
        })
    };
    args.languages.iter().map(known).collect()
}

/// Asks for each picture and prints; whether a picture that the user named, or all, failed.
pub(super) fn describe(
    args: &Args,
    chat: &Chat,
    files: &[Found],
    mut failed: bool,
) -> Result<ExitCode> {
    let (questions, mut described) = (questions(args)?, 0);
    for file in files {
        match asked(chat, &questions, &file.path) {
            Ok(texts) => {
                failed |= !show(args, chat, &file.path, &texts)?;
                described += 1;
            }
            Err(error) => {
                note!("skipped {}", in_words(&error));
                failed |= file.named;
            }
        }
    }
    Ok(if described == 0 || failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// A caption in each language.
fn asked(
    chat: &Chat,
    questions: &[(&'static str, &str)],
    path: &Path,
) -> Result<Vec<(&'static str, String)>> {
    let named = || path.display().to_string();
    let picture = decode_file(path, Limits::default()).with_context(named)?;
    let picture = endpoint::part_of(&picture);
    let one = |&(language, question): &(&'static str, &str)| {
        let content = json!([{ "type": "text", "text": question }, picture.clone()]);
        let said = endpoint::answer(chat, &[json!({ "role": "user", "content": content })]);
        // A caption is one line.
        let line = |said: String| {
            let shown: String =
                said.chars().filter(|c| c.is_whitespace() || !c.is_control()).collect();
            shown.split_whitespace().collect::<Vec<_>>().join(" ")
        };
        said.map(|said| (language, line(said))).with_context(named)
    };
    questions.iter().map(one).collect()
}

fn show(args: &Args, chat: &Chat, path: &Path, texts: &[(&str, String)]) -> Result<bool> {
    let mut written = true;
    if args.sidecar
        && let Err(error) = write_beside(path, texts.iter().map(|(_, text)| text.as_str()))
    {
        note!("not written: {}", in_words(&error));
        written = false;
    }
    if args.json {
        let made =
            |(language, text): &(&str, String)| json!({ "language": language, "text": text });
        let mut line = serde_json::to_value(FileName::from(path))?;
        line["captions"] = texts.iter().map(made).collect();
        line["decoder"] = json!(chat.model());
        say!("{line}");
        return Ok(written);
    }
    say!("{}", path.display());
    texts.iter().for_each(|(language, text)| say!("  {language}  {text}"));
    Ok(written)
}
