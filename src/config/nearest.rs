//! The known name that a misspelled one probably meant.

use super::properties::PROPERTIES;

/// The property whose name is nearest to `name`, if any is near enough to be a slip.
pub fn nearest(name: &str) -> Option<&'static str> {
    let wanted: Vec<u8> = name.bytes().map(|b| if matches!(b, b'.' | b'-') { b'_' } else { b.to_ascii_uppercase() }).collect();
    PROPERTIES
        .iter()
        .map(|property| (distance(&wanted, property.name.as_bytes()), property.name))
        .min()
        .filter(|(slips, known)| *slips <= known.len().div_ceil(4))
        .map(|(_, known)| known)
}

/// Levenshtein distance.
fn distance(a: &[u8], b: &[u8]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = i;
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_find_their_property() {
        for (slip, meant) in [
            ("HTTPS_PROT", Some("HTTPS_PORT")),
            ("https_port", Some("HTTPS_PORT")),
            ("openvidu.recording.path", Some("OPENVIDU_RECORDING_PATH")),
            ("VIDUCT_MEDIAPORT", Some("VIDUCT_MEDIA_PORT")),
            ("OPENVIDU_SECRETS", Some("OPENVIDU_SECRET")),
            ("COMPLETELY_ELSE", None),
            ("", None),
        ] {
            assert_eq!(nearest(slip), meant, "{slip}");
        }
    }

    #[test]
    fn distance_counts_edits() {
        assert_eq!(distance(b"kitten", b"sitting"), 3);
        assert_eq!(distance(b"", b"abc"), 3);
        assert_eq!(distance(b"abc", b"abc"), 0);
    }
}
