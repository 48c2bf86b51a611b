//! The kinds of tokens that English has in the Penn Treebank, as patterns.

use std::sync::OnceLock;

use regex::Regex;

/// One kind of token.
pub(super) struct Rule {
    /// Anchored at the token's beginning; its first group is the token, the rest what stands behind it.
    pattern: Regex,
    begins: &'static [Class],
}

/// What a token begins with: of the rules most cannot begin with most characters.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Letter,
    Digit,
    Quote,
    Other,
}

impl Class {
    pub(super) fn of(c: char) -> Self {
        match c {
            '\'' | '`' | '"' | '’' | '‘' | '´' | '“' | '”' | '‛' => Self::Quote,
            c if c.is_numeric() => Self::Digit,
            c if c.is_alphabetic() => Self::Letter,
            _ => Self::Other,
        }
    }
}

impl Rule {
    /// Whether a token of this kind may begin so.
    pub(super) fn may_begin(&self, class: Class) -> bool {
        self.begins.contains(&class)
    }

    /// How many bytes the rule takes part in, and how many of them are the token.
    pub(super) fn find(&self, text: &str) -> Option<[usize; 2]> {
        let found = self.pattern.captures(text)?;
        Some([found[0].len(), found[1].len()])
    }
}

/// Parts of the patterns, written as `{NAME}` in [`RULES`].
const PARTS: [(&str, &str); 16] = [
    ("WORD", r"{LETTER}(?:{LETTER}|\p{Nd})*(?:[.!?]{LETTER}(?:{LETTER}|\p{Nd})*)*"),
    (
        "THING",
        r"(?:[dDoOlL]{APOX}{SIGN})?{SIGN}+(?:[-_](?:[dDoOlL]{APOX}{SIGN})?(?:{SIGN}+|{NUM}))*",
    ),
    ("HYPHENATED", r"{SIGN}[\p{L}\p{Nd}.,\u{ad}]*(?:-(?:{ACRO2}\.|{SIGN}+))+"),
    ("NUMBER", r"[-+]?{NUM}"),
    ("NUM", r"(?:\p{Nd}*(?:[.:,\u{ad}]\p{Nd}+)+|\p{Nd}+)"),
    ("ACRO2", r"[A-Za-z](?:\.[A-Za-z])+"),
    ("ACRO", r"[A-Za-z](?:\.[A-Za-z])*"),
    ("CLITIC", r"{APO}(?i:[msd]|re|ve|ll)"),
    ("NOT", r"(?i:n){APOX}(?i:t)"),
    ("APOX", r"(?:{APO}|[`‘‛])"),
    ("APO", r"(?:['’´]|&apos;)"),
    ("QUOTE", r"(?:['’´]|&apos;|[`‘’‛“”‹›«»]{1,2})"),
    (
        "TITLE",
        r"(?i:Mr|Mrs|Ms|Drs?|Profs?|Sens?|Reps?|Attys?|Lt|Col|Gen|Messrs|Govs?|Adm|Rev|Maj|Sgt|Cpl|Pvt|Capt|Ste?|Ave|Pres|Lieut|Hon|Brig|Co?mdr|Pfc|Spc|Supts?|Det|Mt|Ft|Adj|Adv|Asst|Assoc|Ens|Insp|Mlle|Mme|Msgr|Sfc|vs|v|Alex|Wm|Jos|Cie|cf|Ph|Invt|Elec|Natl|M[ft]g|Dept)|Miss",
    ),
    (
        "SHORT",
        r"(?i:Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec|Mon|Tues?|Wed|Thu|Thurs|Fri|Ala|Ariz|Calif|Colo|Conn|Ct|Dak|Fla|Ga|Ind|Kans?|Ky|Md|Mich|Minn|Mo|Mont|Neb|Nev|Okla|Penn|Tenn|Va|Vt|Wisc?|Wyo|Inc|Cos?|Corp|Pp?t[ye]s?|Ltd|Plc|Rt|Bancorp|Bhd|Assn|Univ|Intl|Sys|tel|est|ext|sq|Jr|Sr|Bros|(?:Ed|Ph)\.D|Esq|etc|al|seq|Bldg|Blvd|Rd)|Az|Ark|Del|Ill|La|Mass|Miss|Ore|Pa|Tex|Wash",
    ),
    ("SIGN", r"[\p{L}\p{Nd}\u{ad}]"),
    ("LETTER", r"[\p{L}\u{ad}\u{0300}-\u{036f}]"),
];

use Class::{Digit, Letter, Other, Quote};

/// All rules; of two that take part in as many bytes the first counts.
const RULES: [(&str, &[Class]); 54] = [
    // Words that the Treebank cuts: can not, gon na, 't was, 't is.
    (r"((?i:can))(?i:not)", &[Letter]),
    (r"('(?i:t))(?i:was|is)", &[Quote]),
    (r"((?i:gon|wan))(?i:na)", &[Letter]),
    (r"((?i:got))(?i:ta)", &[Letter]),
    (r"((?i:lem|gim))(?i:me)", &[Letter]),
    // Tags and entities.
    (r"(<(?:[!?][A-Za-z-][^>\r\n]*|/?[A-Za-z][A-Za-z0-9_:.-]*/?)>)", &[Other]),
    (r"(&(?:MD|mdash|ndash);|[–—―])", &[Other]),
    (r"(&amp;|&nbsp;)", &[Other]),
    (r"([cC]\+\+|[cC]#)", &[Letter]),
    // Words, with what is cut off at their end.
    (r"({WORD}){CLITIC}", &[Letter]),
    (r"([A-Za-z\u{ad}]*[A-MO-Za-mo-z]\u{ad}*){NOT}", &[Letter]),
    (r"({WORD})", &[Letter]),
    // Words with an apostrophe inside.
    (
        r"({APO}(?i:n){APO}?|[lLdDjJ]{APO}|(?i:Dunkin|somethin|ol){APO}|{APO}(?i:em|cause)|{APO}[2-9]0(?i:s)|{APO}(?i:till?)|[A-HJ-XZn]{APOX}\p{L}{2}\p{L}*|(?i:cont'd\.?|nor'easter|c'mon|e'er|s'mores|ev'ry|li'l|nat'l))",
        &[Letter, Quote, Other],
    ),
    (r"(\p{L}+[aeiouyAEIOUY]{APOX}[aeiouA-Z]\p{L}*)", &[Letter]),
    (r"([yY]{APO})\p{L}", &[Letter]),
    // Addresses.
    (r#"((?i:https?)://[^ \t\n\f\r"<>|(){}]+[^ \t\n\f\r"<>|.!?(){},-])"#, &[Letter]),
    (
        r#"((?:(?i:www)\.(?:[^ \t\n\f\r"<>|.!?(){},]+\.)+[a-zA-Z]{2,4}|(?:[^ \t\n\f\r"`'|!(){}$,-_]+\.)+(?i:com|net|org|edu))(?:/[^ \t\n\f\r"<>|()]+[^ \t\n\f\r"<>|.!?(){},-])?)"#,
        &[Letter, Digit],
    ),
    (
        r#"((?:&lt;|<)?[a-zA-Z0-9][^ \t\n\f\r"<>|()\u{a0}]*@(?:[^ \t\n\f\r"<>|().\u{a0}]+\.)*[^ \t\n\f\r"<>|().\u{a0}]+(?:&gt;|>)?)"#,
        &[Letter, Digit, Other],
    ),
    (r"(@[a-zA-Z_][a-zA-Z_0-9]*|#\p{L}(?:\p{L}|[0-9_])*(?:\p{L}|[0-9]))", &[Other]),
    // What was cut off.
    (r"({CLITIC})[^A-Za-z]", &[Quote, Other]),
    (r"({NOT})[^A-Za-z]", &[Letter]),
    // Numbers.
    (r"(\p{Nd}{1,2}[-/]\p{Nd}{1,2}[-/]\p{Nd}{2,4})", &[Digit]),
    (r"({NUMBER})", &[Digit, Other]),
    (r"([⁺⁻₊₋]?(?:[⁰¹²³⁴-⁹]+|[₀-₉]+))", &[Digit, Other]),
    (r"((?:\p{Nd}{1,4}[- \u{a0}])?\p{Nd}{1,4}(?:\\?/|⁄)\p{Nd}{1,4})", &[Digit]),
    (r"([¼½¾⅓-⅞])", &[Digit, Other]),
    (
        r"((?i:-(?:RRB|LRB|RCB|LCB|RSB|LSB)-|C\.D\.s|pro-|anti-|S(?:&|&amp;)P-500|S(?:&|&amp;)Ls|Cap'n|c'est))",
        &[Letter, Other],
    ),
    (
        r"([A-Za-z0-9]+(?:-[A-Za-z]+){0,2}(?:\\?/[A-Za-z0-9]+(?:-[A-Za-z]+){0,2}){1,2})",
        &[Letter, Digit],
    ),
    (r"([A-Z]*\$|#)", &[Letter, Other]),
    (r"([¢£¤¥₠€؋฿₤￠￡￥￦])", &[Other]),
    // One letter with a dot ends a sentence where another begins; else it is an initial.
    (
        r"([A-Za-z])\.[ \t]+(?:About|According|Additionally|After|An|A|As|At|But|Did|During|Earlier|He|Her|Here|How|However|If|In|It|Last|Many|More|Mr\.|Ms\.|Now|Once|One|Other|Our|She|Since|So|Some|Such|That|The|Their|Then|There|These|They|This|We|When|While|What|Who|Why|Yet|You)[\s?!]",
        &[Letter],
    ),
    // Abbreviations.
    (r"((?i:ca|figs?|prop|nos?|sect?s?|arts?|bldg|pp|op)\.)\s?\p{Nd}", &[Letter]),
    (r"((?:{SHORT})\.)(?s:..)?", &[Letter]),
    (r"((?:{TITLE}|{ACRO}|a\.k\.a)\.)", &[Letter]),
    (r"({APO}[0-9][0-9])\s", &[Quote, Other]),
    (r"({WORD}\.)[,;:、]", &[Letter]),
    (
        r"((?:\([0-9]{2,3}\)[ \u{a0}]?|(?:\+\+?)?(?:[0-9]{2,4}[- \u{a0}])?[0-9]{2,4}[- \u{a0}])[0-9]{3,4}[- \u{a0}]?[0-9]{3,5}|(?:(?:\+\+?)?[0-9]{2,4}\.)?[0-9]{2,4}\.[0-9]{3,4}\.[0-9]{3,5})",
        &[Digit, Other],
    ),
    // Signs.
    (r#"("|&quot;|[`'‘’]')"#, &[Quote, Other]),
    (r"(<|>|&lt;|&gt;)", &[Other]),
    (r"([<>]?[:;=][-o*']?[()DPdpO\\{@|\[\]])[^A-Za-z0-9]", &[Other]),
    (
        r"([\^x=~<>]\.\[\^x=~<>]|[-^x=~<>']_[-^x=~<>']|\([-^x=~<>'][_.]?[-^x=~<>']\)|\([\^x=~<>']-[\^x=~<>'`]\))",
        &[Letter, Quote, Other],
    ),
    (r"([{}\[\]()]|-+)", &[Other]),
    (r"(\.\.\.+|…|\.[ \u{a0}](?:\.[ \u{a0}])+\.)", &[Other]),
    (r"(@+|#+|_+|\*+|(?:\\\*){1,3}|[,;:、]|[?!]+|[.¡¿;։؟۔܀-܂ߺ。=/])", &[Other]),
    // Words with hyphens and numbers inside.
    (r"({HYPHENATED})[^\p{L}\p{Nd}+]", &[Letter, Digit]),
    (r"({HYPHENATED}\.)[,;:、]", &[Letter, Digit]),
    (r"({THING}\.)[,;:、]", &[Letter, Digit, Other]),
    (r"({THING})", &[Letter, Digit, Other]),
    (r"([A-Z]+(?:(?:[+&]|&amp;)[A-Z]+)+\.?)[,;:、]", &[Letter]),
    (r"([A-Z]+(?:(?:[+&]|&amp;)[A-Z]+)+)", &[Letter]),
    // What is behind an opening quote keeps it from being taken for a clitic.
    (r"(['`‘‛“”‹›«»]{1,2})(?:\p{L}\S|[AaIiUu]\s)", &[Quote, Other]),
    (r"({CLITIC}|{NOT}|{QUOTE})", &[Letter, Quote, Other]),
    (r"(<<|>>)", &[Other]),
    (
        r"([+%&~^|\\¦§¨©¬®¯°-³´-º×÷·‖‗†-‣‚„‟‰-‸※‾-⁂⁄⁺-ⁿ₊-₎℀-⅏←-⇿∀-⯿、。〆〒・！-／：-＠［-｀｛-･])",
        &[Letter, Digit, Quote, Other],
    ),
];

/// The rules, compiled once.
pub(super) fn rules() -> &'static [Rule] {
    static COMPILED: OnceLock<Vec<Rule>> = OnceLock::new();
    COMPILED.get_or_init(|| {
        let compile = |&(text, begins): &(&str, &'static [Class])| {
            let mut pattern = text.to_owned();
            for (name, part) in PARTS {
                pattern = pattern.replace(&format!("{{{name}}}"), part);
            }
            let pattern = Regex::new(&format!(r"\A{pattern}")).expect("a valid pattern");
            Rule { pattern, begins }
        };
        RULES.iter().map(compile).collect()
    })
}
