//! Tokens into a [`Filter`]: recursive descent, OR below AND below NOT, with a limit on the depth.

use super::condition::{Condition, Literal, between, range};
use super::error::{FilterError, place};
use super::known::{self, Known};
use super::lexer::{Lexer, Sign, Token, cut};
use super::value::{folded, key};
use super::{Filter, Type};

/// Longest filter, in characters: a thousand names in an IN fit.
const CHARS: usize = 20_000;
/// Parentheses and NOTs within each other. Each is a few hundred bytes of stack.
const DEPTH: usize = 100;
const KEYWORDS: [&str; 10] =
    ["and", "or", "not", "in", "has", "exists", "contains", "starts", "with", "between"];

type Parsed = Result<Filter, FilterError>;

pub(super) fn parse(text: &str) -> Parsed {
    // The bytes bound the characters, so that gigabytes are refused before they are copied.
    if text.len() > CHARS * 4 || text.chars().nth(CHARS).is_some() {
        return Err(FilterError::TooLong { chars: text.chars().count(), limit: CHARS });
    }
    let chars: Vec<char> = text.chars().collect();
    let tokens = Lexer::new(&chars).tokens()?;
    let mut parser = Parser { chars: &chars, tokens, at: 0, depth: 0 };
    let filter = parser.any()?;
    match parser.peek() {
        Token::End => Ok(filter),
        Token::Word(_) | Token::Quoted(_) => {
            Err(parser.wrong("AND or OR; a value of several words stands in quotes: \"…\""))
        }
        _ => Err(parser.wrong("AND, OR or the end")),
    }
}

struct Parser<'c> {
    chars: &'c [char],
    tokens: Vec<(usize, Token)>,
    at: usize,
    depth: usize,
}

/// The left side of a comparison.
struct Target {
    column: usize,
    name: String,
    kind: Option<Type>,
}

impl Parser<'_> {
    fn peek(&self) -> &Token {
        &self.tokens[self.at].1
    }

    fn column(&self) -> usize {
        self.tokens[self.at].0
    }

    /// Goes on; [`Token::End`] stays.
    fn next(&mut self) -> Token {
        let token = self.tokens[self.at].1.clone();
        self.at = (self.at + 1).min(self.tokens.len() - 1);
        token
    }

    fn is_keyword(&self, keyword: &str) -> bool {
        matches!(self.peek(), Token::Word(word) if word.eq_ignore_ascii_case(keyword))
    }

    fn take_keyword(&mut self, keyword: &str) -> bool {
        let found = self.is_keyword(keyword);
        if found {
            self.next();
        }
        found
    }

    fn take(&mut self, token: &Token, expected: &str) -> Result<(), FilterError> {
        if self.peek() != token {
            return Err(self.wrong(expected));
        }
        self.next();
        Ok(())
    }

    fn place(&self, column: usize) -> String {
        place(self.chars, column)
    }

    fn wrong(&self, expected: &str) -> FilterError {
        let (column, found) = (self.column(), self.peek().shown());
        FilterError::Syntax { column, found, expected: expected.into(), place: self.place(column) }
    }

    fn any(&mut self) -> Parsed {
        let mut parts = vec![self.all()?];
        while self.take_keyword("or") {
            parts.push(self.all()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Filter::Or(parts) })
    }

    fn all(&mut self) -> Parsed {
        let mut parts = vec![self.one()?];
        while self.take_keyword("and") {
            parts.push(self.one()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Filter::And(parts) })
    }

    fn one(&mut self) -> Parsed {
        if self.depth == DEPTH {
            let (column, limit) = (self.column(), DEPTH);
            return Err(FilterError::TooDeep { column, limit, place: self.place(column) });
        }
        self.depth += 1;
        let parsed = self.operand();
        self.depth -= 1;
        parsed
    }

    fn operand(&mut self) -> Parsed {
        if self.take_keyword("not") {
            return Ok(Filter::Not(Box::new(self.one()?)));
        }
        if *self.peek() == Token::Open {
            self.next();
            let inner = self.any()?;
            self.take(&Token::Close, "AND, OR or a closing parenthesis")?;
            return Ok(inner);
        }
        // A field may be called `has`: what follows tells.
        let is_has = self.is_keyword("has") || self.is_keyword("exists");
        if is_has && matches!(self.tokens[self.at + 1].1, Token::Word(_) | Token::Quoted(_)) {
            self.next();
            return Ok(Filter::Has(self.target()?.name));
        }
        let target = self.target()?;
        self.comparison(target)
    }

    fn target(&mut self) -> Result<Target, FilterError> {
        let column = self.column();
        let name = match self.peek() {
            Token::Word(word) if !self.is_reserved(word) => folded(word),
            Token::Quoted(text) if !text.trim().is_empty() => folded(text.trim()),
            _ => return Err(self.wrong("the name of a field, such as year or tag")),
        };
        self.next();
        Ok(match known::find(&name) {
            Some(Known { name, kind, .. }) => {
                Target { column, name: (*name).into(), kind: Some(*kind) }
            }
            None => Target { column, name, kind: None },
        })
    }

    /// Whether a word is one of the language here. `has`, `with` and others are also good names, so that
    /// they are reserved only where an operand cannot be anything else.
    fn is_reserved(&self, word: &str) -> bool {
        ["and", "or", "not"].iter().any(|keyword| word.eq_ignore_ascii_case(keyword))
    }

    fn comparison(&mut self, target: Target) -> Parsed {
        if let Token::Sign(sign) = *self.peek() {
            self.next();
            let value = self.value(&target)?;
            return Ok(compare(target, sign, &value));
        }
        let negated = self.take_keyword("not");
        let filter = if self.take_keyword("in") {
            self.list(target)?
        } else if self.take_keyword("between") {
            let from = self.value(&target)?;
            if !self.take_keyword("and") {
                return Err(self.wrong("AND and the upper end of BETWEEN"));
            }
            let to = self.value(&target)?;
            Filter::Compare { conditions: between(&from, &to, target.kind), field: target.name }
        } else if self.is_keyword("contains") {
            self.text(target, "CONTAINS", Condition::Contains)?
        } else if self.is_keyword("starts") {
            self.text(target, "STARTS WITH", Condition::StartsWith)?
        } else {
            return Err(self.wrong(
                "an operator: =, !=, <, <=, >, >=, IN (…), BETWEEN … AND …, CONTAINS or STARTS WITH",
            ));
        };
        Ok(if negated { without(filter) } else { filter })
    }

    fn list(&mut self, target: Target) -> Parsed {
        self.take(&Token::Open, "( and the values of IN, divided by commas")?;
        let mut conditions = Vec::new();
        loop {
            let value = self.value(&target)?;
            conditions.extend(between(&value, &value, target.kind));
            if *self.peek() != Token::Comma {
                break;
            }
            self.next();
        }
        self.take(&Token::Close, "a comma or the closing parenthesis of IN")?;
        Ok(Filter::Compare { field: target.name, conditions })
    }

    fn text(
        &mut self,
        target: Target,
        operator: &'static str,
        condition: fn(String) -> Condition,
    ) -> Parsed {
        if let Some(kind) = target.kind.filter(|&kind| kind != Type::Text) {
            let (column, place) = (self.column(), self.place(self.column()));
            let field = target.name;
            return Err(FilterError::OperatorType { column, operator, field, kind, place });
        }
        self.next();
        if operator == "STARTS WITH" && !self.take_keyword("with") {
            return Err(self.wrong("WITH, of STARTS WITH"));
        }
        // As it is: a space at its end is meant.
        let conditions = vec![condition(key(&self.word()?))];
        Ok(Filter::Compare { field: target.name, conditions })
    }

    fn word(&mut self) -> Result<String, FilterError> {
        let is_keyword = |word: &str| KEYWORDS.iter().any(|key| word.eq_ignore_ascii_case(key));
        match self.peek() {
            Token::Word(word) if is_keyword(word) => {
                Err(self.wrong("a value; a word of the language stands in quotes: \"…\""))
            }
            Token::Word(_) | Token::Quoted(_) => match self.next() {
                Token::Word(text) | Token::Quoted(text) => Ok(text),
                _ => Ok(String::new()),
            },
            _ => Err(self.wrong("a value, such as 2020 or \"狗\"")),
        }
    }

    /// A value that fits the field.
    fn value(&mut self, target: &Target) -> Result<Literal, FilterError> {
        let column = self.column();
        let text = self.word()?;
        let literal = Literal::new(&text);
        let Some(kind) = target.kind.filter(|&kind| !literal.is(kind)) else { return Ok(literal) };
        let example = match kind {
            Type::Number => "a number, such as 2020 or -3.5",
            Type::Date => "a date, such as 2020, 2020-05, 2020-05-17 or \"2020-05-17 12:30\"",
            Type::Text => "a text",
        };
        // The field is named at its own place, the value at its.
        let around = self.place(column.max(target.column));
        let (field, value) = (target.name.clone(), cut(&text));
        Err(FilterError::ValueType { column, field, kind, value, example, place: around })
    }
}

fn compare(Target { name: field, kind, .. }: Target, sign: Sign, value: &Literal) -> Filter {
    let conditions = match sign {
        Sign::Equal | Sign::NotEqual => between(value, value, kind),
        Sign::Less => range(None, Some((value, false)), kind),
        Sign::AtMost => range(None, Some((value, true)), kind),
        Sign::More => range(Some((value, false)), None, kind),
        Sign::AtLeast => range(Some((value, true)), None, kind),
    };
    let equal = Filter::Compare { field, conditions };
    if sign == Sign::NotEqual { without(equal) } else { equal }
}

/// The items that have the field, but none of these values in it.
fn without(filter: Filter) -> Filter {
    let Filter::Compare { field, .. } = &filter else { return Filter::Not(Box::new(filter)) };
    Filter::And(vec![Filter::Has(field.clone()), Filter::Not(Box::new(filter))])
}
