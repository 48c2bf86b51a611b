//! `tuwen ask PICTURE QUESTION`

use std::io::{BufRead, IsTerminal, Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use tuwen_encode::{CpuEncoder, Encoder, builtin};
use tuwen_image::{Limits, Picture, decode_file};
use tuwen_retrieve::Remark;
use tuwen_retrieve::asking::{Asker, Choice, Verdict};

use crate::chat::Chat;
use crate::endpoint::{self, EndpointArgs};
use crate::query::{TextArgs, Usage, in_words, open_model};
use crate::terminal::{note, raw, say};

/// Bytes of a question.
const LONGEST: u64 = 100_000;

/// Ask something about a picture: yes or no, or which of some choices
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  tuwen ask dog.jpg \"Is there a dog?\"\n  tuwen ask dog.jpg 图里有没有猫\n  \
    tuwen ask shirt.jpg \"What colour is the shirt?\" --choices red,blue,white,black --json\n  \
    tuwen ask dog.jpg --chat\n  \
    tuwen ask dog.jpg \"What is it doing?\" --endpoint http://localhost:11434/v1 --endpoint-model qwen3-vl\n\n\
    Without --endpoint a dual encoder answers: what the question states is compared with the picture, beside names of other things. \
    It knows what there is, hardly how many, where, or what is not there: \"no dog\" looks like a dog to it. docs/captions.md says how often it is right.\n\
    In a chat a line may end with its choices: `What is it? a dog | a cat`."
)]
pub struct Args {
    /// The picture
    picture: PathBuf,
    /// The question, or a statement
    #[arg(required_unless_present = "chat", conflicts_with = "chat")]
    question: Option<String>,
    /// The answers to choose from, with commas between
    #[arg(long, value_name = "ANSWER,…", conflicts_with = "chat")]
    choices: Option<String>,
    /// Read questions from the terminal or standard input, a line each; a model at an --endpoint knows what was said before
    #[arg(long)]
    chat: bool,
    #[command(flatten)]
    endpoint: EndpointArgs,
    /// A name of `tuwen model list`, a folder with weights, or a .pt file
    #[arg(long, default_value = builtin::BUILT_IN, conflicts_with = "endpoint")]
    model: String,
    /// Print as JSON, a line for each question
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    text_args: TextArgs,
}

/// Answers and prints.
pub fn run(args: &Args) -> Result<ExitCode> {
    let chat = args.endpoint.open()?;
    let picture = decode_file(&args.picture, Limits::default())
        .with_context(|| args.picture.display().to_string())?;
    match chat {
        Some(chat) => converse(args, &mut Talk::new(chat, &picture)),
        None => {
            let encoder = open_model(&args.model, &args.text_args)?;
            converse(args, &mut Look::new(&encoder, &picture)?)
        }
    }
}

/// Whoever answers.
trait Answers {
    fn answer(&mut self, question: &str, choices: Option<&[String]>) -> Result<Said>;
}

/// An answer.
enum Said {
    Verdict(Verdict),
    Choices(Vec<Choice>),
    Words(String),
}

/// A dual encoder that looks at a picture.
struct Look<'a> {
    asker: Asker<'a>,
    encoder: &'a CpuEncoder,
    /// (D).
    picture: Vec<f32>,
}

impl<'a> Look<'a> {
    fn new(encoder: &'a CpuEncoder, picture: &Picture) -> Result<Self> {
        let picture = encoder.encode_images(&[encoder.preprocess().fit(picture)])?;
        Ok(Self { asker: Asker::new(encoder)?, encoder, picture })
    }
}

impl Answers for Look<'_> {
    fn answer(&mut self, question: &str, choices: Option<&[String]>) -> Result<Said> {
        for remark in Remark::on(self.encoder, question)? {
            note!("note: {remark}");
        }
        Ok(match choices {
            Some(choices) => Said::Choices(self.asker.choose(&self.picture, question, choices)?),
            None => Said::Verdict(self.asker.yes_or_no(&self.picture, question)?),
        })
    }
}

/// A conversation with a model at an address, which is sent all of it each time.
struct Talk {
    chat: Chat,
    messages: Vec<Value>,
    /// Sent with the first question.
    picture: Option<Value>,
}

impl Talk {
    fn new(chat: Chat, picture: &Picture) -> Self {
        Self { chat, messages: Vec::new(), picture: Some(endpoint::part_of(picture)) }
    }
}

impl Answers for Talk {
    fn answer(&mut self, question: &str, choices: Option<&[String]>) -> Result<Said> {
        let asked = match choices {
            Some(choices) => format!("{question}\n(one of: {})", choices.join(", ")),
            None => question.to_owned(),
        };
        let mut content = vec![json!({ "type": "text", "text": asked })];
        content.extend(self.picture.clone());
        self.messages.push(json!({ "role": "user", "content": content }));
        let said = match endpoint::answer(&self.chat, &self.messages) {
            Ok(said) => said,
            Err(error) => {
                // What was not answered was not said.
                self.messages.pop();
                return Err(error);
            }
        };
        self.picture = None;
        self.messages.push(json!({ "role": "assistant", "content": said }));
        Ok(Said::Words(said))
    }
}

fn converse(args: &Args, who: &mut dyn Answers) -> Result<ExitCode> {
    if let Some(question) = &args.question {
        match question.len() as u64 {
            _ if question.trim().is_empty() => bail!(Usage("the question is empty".into())),
            0..=LONGEST => {}
            long => bail!(Usage(format!("the question has {long} bytes, {LONGEST} are the most"))),
        }
        let choices = args.choices.as_deref().map(|given| parts(given, &[',', '，', '、']));
        let said = who.answer(question, choices.as_deref())?;
        show(question, &said, args.json)?;
        return Ok(ExitCode::SUCCESS);
    }
    let (mut input, is_person) = (std::io::stdin().lock(), std::io::stdin().is_terminal());
    let mut failed = false;
    let prompt = || {
        if is_person {
            raw(b"> ");
            let _ = std::io::stdout().flush();
        }
    };
    prompt();
    let mut number = 0;
    let mut bytes = Vec::new();
    while (&mut input).take(LONGEST).read_until(b'\n', &mut bytes).context("standard input")? > 0 {
        number += 1;
        if bytes.len() as u64 == LONGEST && !bytes.ends_with(b"\n") {
            bail!(
                "line {number} of standard input has more than {LONGEST} bytes, which is no question"
            );
        }
        // What is no UTF-8 is a question that nobody can answer, and the next line is another one.
        let line = String::from_utf8_lossy(&std::mem::take(&mut bytes)).into_owned();
        if !line.trim().is_empty() {
            let said = divided(&line).and_then(|(question, choices)| {
                Ok((question, who.answer(question, choices.as_deref())?))
            });
            match said {
                Ok((question, said)) => show(question, &said, args.json)?,
                // The next question may be answered.
                Err(error) => {
                    refuse(line.trim(), &error, args.json);
                    failed = true;
                }
            }
        }
        prompt();
    }
    Ok(if failed && !is_person { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Says that a line has no answer, on standard output too where each line has one there.
fn refuse(line: &str, error: &anyhow::Error, json: bool) {
    let said = in_words(error).to_string().replace("give --choices", "write `question? a | b`");
    if json {
        say!("{}", json!({ "question": line, "error": said }));
    }
    note!("{said}");
}

/// A line's question, and its choices where it has some behind the question mark.
fn divided(line: &str) -> Result<(&str, Option<Vec<String>>)> {
    const BARS: [char; 2] = ['|', '｜'];
    let Some(bar) = line.find(BARS) else { return Ok((line.trim(), None)) };
    let Some(mark) = line[..bar].rfind(['?', '？']) else {
        bail!(Usage("choices stand behind a question mark: write `question? a | b`".into()));
    };
    let end = mark + line[mark..].chars().next().map_or(0, char::len_utf8);
    Ok((line[..end].trim(), Some(parts(&line[end..], &BARS))))
}

/// What stands between separators.
fn parts(text: &str, separators: &[char]) -> Vec<String> {
    text.split(separators).map(|part| part.trim().to_owned()).collect()
}

fn show(question: &str, said: &Said, json: bool) -> Result<()> {
    if json {
        let mut line = json!({ "question": question });
        match said {
            Said::Verdict(verdict) => line["answer"] = json!(verdict),
            Said::Choices(choices) => line["choices"] = json!(choices),
            Said::Words(words) => line["answer"] = json!(words),
        }
        say!("{line}");
        return Ok(());
    }
    match said {
        Said::Verdict(Verdict { statement, yes, probability, .. }) => {
            let word = if *yes { "yes" } else { "no" };
            say!("{word}  ({:.0} % that it shows: {statement})", 100.0 * probability);
        }
        Said::Choices(choices) => {
            for Choice { choice, probability } in choices {
                say!("{:>3.0} %  {choice}", 100.0 * probability);
            }
        }
        Said::Words(words) => say!("{words}"),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_may_end_with_its_choices() {
        let told = |line| divided(line).expect("a question");
        let some = |choices: [&str; 2]| Some(choices.map(str::to_owned).to_vec());
        assert_eq!(told("What is it? a dog | a cat"), ("What is it?", some(["a dog", "a cat"])));
        assert_eq!(told("是什么？狗｜猫"), ("是什么？", some(["狗", "猫"])));
        assert_eq!(told(" a dog "), ("a dog", None));
        assert_eq!(told("Is it a dog?"), ("Is it a dog?", None));
        assert!(divided("is it a dog | a cat").is_err());
        assert_eq!(parts("红色，蓝色、 白色", &[',', '，', '、']), ["红色", "蓝色", "白色"]);
    }
}
