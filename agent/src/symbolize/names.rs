//! Function names as Go itself prints them.

/// The name Go prints for the linker's `name`: type arguments as `[...]`, package paths unescaped.
///
/// `main.Map[go.shape.int]` becomes `main.Map[...]` (`runtime.funcNameForPrint`), and
/// `gopkg.in/yaml%2ev3.Marshal` `gopkg.in/yaml.v3.Marshal` (`objabi.PrefixToPath`).
#[must_use]
pub fn display_name(name: &str) -> String {
    unescape(&shorten_type_arguments(name))
}

/// `runtime.funcNamePiecesForPrint`
/// (<https://github.com/golang/go/blob/go1.27.0/src/runtime/traceback.go>).
fn shorten_type_arguments(name: &str) -> String {
    let (Some(open), Some(close)) = (name.find('['), name.rfind(']')) else {
        return name.to_owned();
    };
    let (Some(head), Some(inner), Some(tail)) = (
        name.get(..open),
        name.get(open + 1..close),
        name.get(close + 1..),
    ) else {
        return name.to_owned();
    };
    // A generic method of a generic type (Go 1.27) has two lists with text between them.
    let mut depth = 1_i32;
    let mut first_end = None;
    for (at, c) in inner.char_indices() {
        match c {
            '[' => depth += 1,
            ']' => depth -= 1,
            _ => continue,
        }
        match (depth, first_end) {
            (0, _) => first_end = Some(at),
            (1, Some(end)) => {
                let between = inner.get(end + 1..at).unwrap_or_default();
                return format!("{head}[...]{between}[...]{tail}");
            }
            _ => {}
        }
    }
    if depth == 1 && first_end.is_none() {
        format!("{head}[...]{tail}")
    } else {
        name.to_owned()
    }
}

/// Undoes `%xx` in the package path: what precedes the first dot behind the last slash.
fn unescape(name: &str) -> String {
    if !name.contains('%') {
        return name.to_owned();
    }
    let slash = name.rfind('/').map_or(0, |at| at + 1);
    let path_end = name
        .get(slash..)
        .and_then(|rest| rest.find('.'))
        .map_or(name.len(), |at| slash + at);
    let (path, rest) = name.split_at(path_end);
    let mut bytes = Vec::with_capacity(path.len());
    let mut left = path.as_bytes();
    while let [first, tail @ ..] = left {
        let decoded = match left {
            [b'%', high, low, ..] => hex(*high).zip(hex(*low)).map(|(high, low)| high << 4 | low),
            _ => None,
        };
        match decoded {
            Some(byte) => {
                bytes.push(byte);
                left = tail.get(2..).unwrap_or(&[]);
            }
            None => {
                bytes.push(*first);
                left = tail;
            }
        }
    }
    match String::from_utf8(bytes) {
        Ok(path) => path + rest,
        Err(_) => name.to_owned(),
    }
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::display_name;

    #[test]
    fn as_go_prints_them() {
        for (linker, printed) in [
            ("main.main", "main.main"),
            ("main.Map[go.shape.int,go.shape.string]", "main.Map[...]"),
            (
                "main.(*List[go.shape.int]).Push.func1",
                "main.(*List[...]).Push.func1",
            ),
            ("main.F[go.shape.map[string]int]", "main.F[...]"),
            (
                "main.(*List[int]).Map[go.shape.string].func1",
                "main.(*List[...]).Map[...].func1",
            ),
            (
                "gopkg.in/yaml%2ev3.(*Decoder).Decode",
                "gopkg.in/yaml.v3.(*Decoder).Decode",
            ),
            ("example.com/a%2eb/c.F", "example.com/a.b/c.F"),
            ("main.%2e", "main.%2e"),
            ("x%zz.F", "x%zz.F"),
            ("main.F[", "main.F["),
            ("main.]F[", "main.]F["),
            ("", ""),
        ] {
            assert_eq!(display_name(linker), printed);
        }
    }
}
