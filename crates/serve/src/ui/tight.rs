//! Programs and style sheets of the page without what is there for who reads the source: comments (of style sheets those
//! that have lines of their own), empty lines, indentation, and spaces that separate nothing. Texts and patterns stay as they are, and lines too.

/// Where a sign of a program stands.
#[derive(Clone, Copy, PartialEq)]
enum Inside {
    Code,
    /// A text that this sign ends: `"`, `'`, or a backtick, in which `${` begins code again.
    Text(char),
    /// A regular expression; in brackets a slash does not end it.
    Pattern {
        bracket: bool,
    },
}

/// A program that is being read.
struct Reader {
    out: String,
    inside: Inside,
    /// Braces that are open, and whether each ends a `${`.
    braces: Vec<bool>,
}

/// A program.
pub(super) fn program(source: &str) -> String {
    let out = String::with_capacity(source.len());
    let mut reader = Reader { out, inside: Inside::Code, braces: Vec::new() };
    let mut rest = source;
    while let Some(sign) = rest.chars().next() {
        let taken = match reader.inside {
            Inside::Code => reader.code(sign, rest),
            _ => reader.text(sign, rest),
        };
        rest = &rest[taken..];
    }
    reader.out
}

impl Reader {
    /// A sign of a program, or a run of spaces or a comment; gives how many bytes these are.
    fn code(&mut self, sign: char, rest: &str) -> usize {
        let last = self.out.chars().next_back().unwrap_or('\n');
        if rest.starts_with("//") {
            return rest.find('\n').unwrap_or(rest.len());
        }
        match sign {
            ' ' | '\t' => {
                let behind = rest.trim_start_matches([' ', '\t']);
                let next = behind.chars().next().unwrap_or('\n');
                let apart = is_word(last) && is_word(next) || last == next && "+-".contains(last);
                if last != '\n' && apart {
                    self.out.push(' ');
                }
                return rest.len() - behind.len();
            }
            '\n' if last == '\n' => return 1,
            '"' | '\'' | '`' => self.inside = Inside::Text(sign),
            // Behind an operator stands a pattern, behind a value a division.
            '/' if "(,=:[!&|?{};>\n".contains(last) || self.out.ends_with("return") => {
                self.inside = Inside::Pattern { bracket: false };
            }
            '{' => self.braces.push(false),
            '}' if self.braces.pop() == Some(true) => self.inside = Inside::Text('`'),
            _ => {}
        }
        self.out.push(sign);
        sign.len_utf8()
    }

    /// A sign of a text or a pattern, with the one that it makes plain.
    fn text(&mut self, sign: char, rest: &str) -> usize {
        let mut taken = sign.len_utf8();
        match (sign, self.inside) {
            ('\\', _) => taken += rest[1..].chars().next().map_or(0, char::len_utf8),
            ('$', Inside::Text('`')) if rest.starts_with("${") => {
                taken = 2;
                self.braces.push(true);
                self.inside = Inside::Code;
            }
            (_, Inside::Text(end)) if sign == end => self.inside = Inside::Code,
            ('[', Inside::Pattern { .. }) => self.inside = Inside::Pattern { bracket: true },
            (']', Inside::Pattern { .. }) => self.inside = Inside::Pattern { bracket: false },
            ('/', Inside::Pattern { bracket: false }) => self.inside = Inside::Code,
            _ => {}
        }
        self.out += &rest[..taken];
        taken
    }
}

fn is_word(sign: char) -> bool {
    sign.is_alphanumeric() || sign == '_' || sign == '$'
}

/// A style sheet.
pub(super) fn style(source: &str) -> String {
    let lines = source.split_inclusive('\n').map(|line| line.trim_start_matches('\t'));
    let is_comment = |line: &str| line.starts_with("/*") && line.trim_end().ends_with("*/");
    lines.filter(|line| !is_comment(line) && !line.trim().is_empty()).map(rules).collect()
}

/// A line without the spaces that say nothing: those around braces and behind semicolons and commas, outside of texts. One
/// behind a colon stays, which may stand in a selector.
fn rules(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut inside = None;
    for sign in line.chars() {
        match inside {
            Some(quote) if sign == quote => inside = None,
            Some(_) => {}
            None if matches!(sign, '"' | '\'') => inside = Some(sign),
            None if sign == ' ' && out.ends_with(['{', '}', ';', ',']) => continue,
            None if matches!(sign, '{' | '}') && out.ends_with(' ') => drop(out.pop()),
            None => {}
        }
        out.push(sign);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spaces_go_that_separate_nothing() {
        for (source, wanted) in [
            ("// why\n\n\tx = `//`; // y\n", "x=`//`;\n"),
            ("const f = (a) => {\n\ta && b\n", "const f=(a)=>{\na&&b\n"),
            ("x = a ? b ?? 1 : \"?\";\n", "x=a?b??1:\"?\";\n"),
            ("return typeof x in y\n", "return typeof x in y\n"),
            ("a + +b - -c + d++\n", "a+ +b- -c+d++\n"),
            ("case \"a b\": { c, d }\n", "case\"a b\":{c,d}\n"),
        ] {
            assert_eq!(program(source), wanted);
        }
    }

    #[test]
    fn texts_and_patterns_stay_as_they_are() {
        for source in [
            "`a = ${b+`{ c } ${d} // e`} = f\n\n\t// g`\n",
            "f(\"a \\\" = b\",'c // \" d')\n",
            "x=/[/\"] = \\/ '/u.test(y)/2\n",
            "(/a  b/u).c(\"  \")\n",
            "return/[\"',]  /u.test(\"'  \")\n",
            "`${{a:`}`}.a} = `\n",
        ] {
            assert_eq!(program(source), source);
        }
        assert_eq!(program("x = y / 2 + \" / \" + z / 3\n"), "x=y/2+\" / \"+z/3\n");
    }

    #[test]
    fn a_style_keeps_its_texts_and_selectors() {
        assert_eq!(style("/* a */\n\tb { c: d } /* e */\n"), "b{c: d}/* e */\n");
        assert_eq!(style("a b { c: \" { ; } \"; & d { e: f } }"), "a b{c: \" { ; } \";& d{e: f}}");
    }
}
