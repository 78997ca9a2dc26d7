package party

import "strings"

// CheckEmail checks an e-mail address in the form that mail is really sent to
// (RFC 5321 §4.1.2: dot-string local part, domain of letters, digits and
// hyphens; at most 254 octets). Quoted local parts, comments, address literals
// and non-ASCII are refused, and so is a first character that a spreadsheet
// would take for a formula. The error is a FieldError on email.
func CheckEmail(s string) error {
	const example = ": write it as name@company.example"
	if s == "" {
		return wrong("email", "is missing")
	}
	local, domain, found := strings.Cut(s, "@")
	if !found || len(s) > 254 || len(local) > 64 {
		return wrong("email", "is not an e-mail address"+example)
	}
	for i, atom := range strings.Split(local, ".") {
		if atom == "" || !all(atom, isAtom) || i == 0 && !isAlnum(atom[0]) && atom[0] != '_' {
			return wrong("email", "the part before @ is not well formed"+example)
		}
	}
	labels := strings.Split(domain, ".")
	for _, label := range labels {
		if label == "" || len(label) > 63 || !all(label, isHostChar) || label[0] == '-' || label[len(label)-1] == '-' {
			return wrong("email", "the part after @ is not a domain"+example)
		}
	}
	last := labels[len(labels)-1]
	if len(labels) < 2 || len(last) < 2 || !isAlpha(last[0]) {
		return wrong("email", "the part after @ has no top-level domain"+example)
	}
	return nil
}

func all(s string, ok func(byte) bool) bool {
	for i := range len(s) {
		if !ok(s[i]) {
			return false
		}
	}
	return true
}

func isAlpha(c byte) bool    { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }
func isAlnum(c byte) bool    { return isAlpha(c) || '0' <= c && c <= '9' }
func isHostChar(c byte) bool { return isAlnum(c) || c == '-' }

// isAtom is atext of RFC 5322 §3.2.3.
func isAtom(c byte) bool { return isAlnum(c) || strings.IndexByte("!#$%&'*+-/=?^_`{|}~", c) >= 0 }
