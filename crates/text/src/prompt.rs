//! Sentences around a label, for classification without training.
//!
//! The idea: Radford et al. 2021, <https://arxiv.org/abs/2103.00020>, section 3.1.4; the sentences
//! are ours. `{}` stands for the label.

/// Chinese sentences.
pub const CHINESE: [&str; 24] = [
    "{}",
    "{}的照片",
    "一张{}的照片",
    "一张{}的图片",
    "这是{}",
    "图中有{}",
    "照片里是{}",
    "{}的特写",
    "{}的近照",
    "一张清晰的{}照片",
    "一张模糊的{}照片",
    "一张明亮的{}照片",
    "一张昏暗的{}照片",
    "一张黑白的{}照片",
    "一张裁剪过的{}照片",
    "从远处拍的{}",
    "小小的{}",
    "大大的{}",
    "很多{}",
    "一幅{}的画",
    "{}的素描",
    "{}的卡通画",
    "用手机拍的{}",
    "我拍到了{}",
];

/// English sentences.
pub const ENGLISH: [&str; 24] = [
    "{}",
    "a photo of {}",
    "a photo of a {}",
    "a picture of the {}",
    "this is a {}",
    "there is a {} in the picture",
    "a close-up of a {}",
    "a clear photo of a {}",
    "a blurry photo of a {}",
    "a bright photo of a {}",
    "a dark photo of a {}",
    "a black and white photo of a {}",
    "a cropped photo of a {}",
    "a {} seen from far away",
    "a small {}",
    "a large {}",
    "many {}",
    "a painting of a {}",
    "a sketch of a {}",
    "a cartoon of a {}",
    "a phone snapshot of a {}",
    "my photo of a {}",
    "a good photo of a {}",
    "a bad photo of a {}",
];

/// Which sentences go around a label.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Templates {
    /// Those of the label's language: Chinese where it has a Chinese character.
    #[default]
    Auto,
    /// [`CHINESE`].
    Chinese,
    /// [`ENGLISH`].
    English,
    /// The label as it is.
    None,
    /// The user's own.
    Own(Vec<String>),
}

impl Templates {
    /// Reads one sentence a line.
    ///
    /// # Errors
    /// In words: a line without `{}`, or no line at all.
    pub fn parse(text: &str) -> Result<Self, String> {
        let lines = text.trim_start_matches('\u{feff}').lines().map(str::trim);
        let lines: Vec<String> = lines.filter(|l| !l.is_empty()).map(str::to_owned).collect();
        match lines.iter().find(|line| !line.contains("{}")) {
            Some(line) => Err(format!("the template `{line}` has no {{}} for the label")),
            None if lines.is_empty() => Err("there is no template".into()),
            None => Ok(Self::Own(lines)),
        }
    }

    /// The sentences for one label.
    ///
    /// ```
    /// use tuwen_text::prompt::Templates;
    ///
    /// let templates = Templates::parse("a photo of a {}\na drawing of a {}\n")?;
    /// assert_eq!(templates.prompts("dog"), ["a photo of a dog", "a drawing of a dog"]);
    /// # Ok::<(), String>(())
    /// ```
    pub fn prompts(&self, label: &str) -> Vec<String> {
        let fill = |lines: &[&str]| lines.iter().map(|line| line.replace("{}", label)).collect();
        match self {
            Self::Auto if is_chinese(label) => fill(&CHINESE),
            Self::Chinese => fill(&CHINESE),
            Self::Auto | Self::English => fill(&ENGLISH),
            Self::None => vec![label.to_owned()],
            Self::Own(lines) => lines.iter().map(|line| line.replace("{}", label)).collect(),
        }
    }
}

fn is_chinese(text: &str) -> bool {
    text.chars().any(|c| matches!(c, '\u{3400}'..='\u{9fff}' | '\u{20000}'..='\u{323af}'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_follow_the_language_of_the_label() {
        assert!(Templates::Auto.prompts("狗").contains(&"一张狗的照片".to_owned()));
        assert!(Templates::Auto.prompts("dog").contains(&"a photo of a dog".to_owned()));
        assert_eq!(Templates::None.prompts("dog"), ["dog"]);
        let own = Templates::parse("\u{feff}a {} on grass\n\n{}在草地上\n").expect("two lines");
        assert_eq!(own.prompts("x"), ["a x on grass", "x在草地上"]);
        assert!(Templates::parse("no place").expect_err("no place").contains("no place"));
        assert!(Templates::parse("\n").is_err());
    }

    #[test]
    fn no_sentence_is_there_twice_and_each_has_a_place() {
        for lines in [CHINESE, ENGLISH] {
            let all: std::collections::HashSet<&str> = lines.into_iter().collect();
            assert_eq!(all.len(), lines.len());
            assert!(lines.iter().all(|line| line.matches("{}").count() == 1));
        }
    }
}
