//! Which texts go out with registration replies (RFC 4917 §4).

use wire::{Code, Nai};

/// A text that an agent sends with some of its replies.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ReplyMessage {
    /// The Code of the replies; without one, every reply.
    pub code: Option<Code>,
    /// The realm of the NAIs of mobile nodes, what stands behind the `@`; without one, every node.
    pub realm: Option<String>,
    /// 1 to 254 octets of UTF-8.
    pub text: String,
}

impl ReplyMessage {
    fn fits(&self, code: Code, nai: Option<&Nai>) -> bool {
        let is_of_realm = |realm: &String| {
            let of_node = nai.and_then(|nai| nai.as_str().rsplit_once('@')).map(|(_, realm)| realm);
            of_node.is_some_and(|of_node| of_node.eq_ignore_ascii_case(realm))
        };
        self.code.is_none_or(|own| own == code) && self.realm.as_ref().is_none_or(is_of_realm)
    }
}

/// The text for a reply: the first that fits.
pub(crate) fn text_for<'a>(
    messages: &'a [ReplyMessage],
    code: Code,
    nai: Option<&Nai>,
) -> Option<&'a str> {
    messages.iter().find(|message| message.fits(code, nai)).map(|message| message.text.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_that_fits_by_code_and_realm() {
        let message = |code: Option<u8>, realm: Option<&str>, text: &str| ReplyMessage {
            code: code.map(Code),
            realm: realm.map(str::to_owned),
            text: text.to_owned(),
        };
        let messages = [
            message(Some(129), Some("one.example"), "pay"),
            message(Some(129), None, "refused"),
            message(None, Some("two.example"), "welcome"),
        ];
        let text = |code, nai: Option<&str>| {
            let nai = nai.map(|nai| Nai::new(nai).unwrap());
            text_for(&messages, Code(code), nai.as_ref())
        };
        assert_eq!(text(129, Some("a@ONE.example")), Some("pay"));
        assert_eq!(text(129, Some("a@two.example")), Some("refused"));
        assert_eq!(text(129, None), Some("refused"));
        assert_eq!(text(0, Some("a@two.example")), Some("welcome"));
        assert_eq!(text(0, Some("a@one.example")), None);
        assert_eq!(text(0, None), None);
    }
}
