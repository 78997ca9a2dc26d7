package evidence

import (
	"bytes"
	"compress/zlib"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// acts are the names of what a PDF does when it is opened, asks for, or carries (ISO
// 32000-2 §7.6, §7.11.4, §12.6.4, §12.7, §13). A scan needs none of it. Triggers alone
// (AA, OpenAction of a page) do nothing without one of these.
var acts = strings.Fields(`AcroForm EmbeddedFile EmbeddedFiles Encrypt Filespec GoToE GoToR ImportData JavaScript Launch Movie Rendition
	RichMedia Sound SubmitForm XFA`)

// maxObjects bounds what the compressed object streams of a PDF unpack to, together.
const maxObjects = 4 << 20

var (
	pdfVersion = regexp.MustCompile(`^%PDF-(1\.[0-7]|2\.0)[\r\n]`)
	pdfEnd     = regexp.MustCompile(`%%EOF[\r\n ]{0,4}$`)
	pdfName    = regexp.MustCompile(`/[^\x00\t\n\f\r ()<>\[\]{}/%]+`)
	pdfStream  = regexp.MustCompile(`>>[\x00\t\n\f\r ]*stream\r?\n`)
)

// inspectPDF looks for names of what acts in all octets, in streams too: a reader may
// find objects where another sees a picture. Of what is compressed it opens the
// streams that hold objects; the names are long enough not to come about by chance.
// What it takes for a name may be text: a scan has little, and is made again.
func inspectPDF(content []byte) (Scan, error) {
	if !pdfVersion.Match(content) || !pdfEnd.Match(content[max(0, len(content)-16):]) {
		return Scan{}, unfit("is a damaged PDF, or has something behind its end: print it to PDF again")
	}
	s := Scan{Type: PDF}
	packed, err := s.readNames(content)
	if err != nil {
		return Scan{}, err
	}
	left := int64(maxObjects)
	for _, at := range pdfStream.FindAllIndex(content, -1) {
		dictionary := content[bytes.LastIndex(content[:at[0]], []byte("obj"))+1 : at[0]]
		names := pdfNames(dictionary)
		if !slices.Contains(names, "ObjStm") {
			continue
		}
		packed--
		if !slices.Contains(names, "Filter") {
			continue // read with the rest
		}
		objects, err := unpackObjects(content[at[1]:], names, &left)
		if err != nil {
			return Scan{}, err
		}
		if _, err := s.readNames(objects); err != nil {
			return Scan{}, err
		}
	}
	if packed > 0 {
		return Scan{}, unfit("is a damaged PDF")
	}
	if s.Pages < 1 || s.Pages > maxPages {
		return Scan{}, unfit("has %d pages: 1 to %d", s.Pages, maxPages)
	}
	return s, nil
}

// readNames refuses names of what acts, and counts pages and streams of objects.
func (s *Scan) readNames(text []byte) (packed int, err error) {
	before := ""
	for _, name := range pdfNames(text) {
		if slices.Contains(acts, name) {
			return 0, unfit("is a PDF that does more than show pages (%s): print it to PDF again, without forms, scripts, attachments and passwords", name)
		}
		switch {
		case name == "ObjStm":
			packed++
		case name == "Page" && before == "Type":
			s.Pages++
		}
		before = name
	}
	return packed, nil
}

// unpackObjects opens a stream of objects.
func unpackObjects(stream []byte, names []string, left *int64) ([]byte, error) {
	refused := unfit("is a PDF packed in an unusual way: print it to PDF again")
	if !slices.Contains(names, "FlateDecode") || slices.Contains(names, "DecodeParms") {
		return nil, refused
	}
	reader, err := zlib.NewReader(bytes.NewReader(stream))
	if err != nil {
		return nil, refused
	}
	objects, err := io.ReadAll(io.LimitReader(reader, *left+1))
	if *left -= int64(len(objects)); err != nil || *left < 0 {
		return nil, refused
	}
	return objects, nil
}

// pdfNames are the names in a text, with their #-codes resolved (§7.3.5).
func pdfNames(text []byte) []string {
	found := pdfName.FindAll(text, -1)
	names := make([]string, len(found))
	for i, f := range found {
		names[i] = pdfPlain(string(f[1:]))
	}
	return names
}

func pdfPlain(name string) string {
	if !strings.Contains(name, "#") {
		return name
	}
	var plain strings.Builder
	for i := 0; i < len(name); i++ {
		if name[i] == '#' && i+2 < len(name) {
			if code, err := strconv.ParseUint(name[i+1:i+3], 16, 8); err == nil {
				plain.WriteByte(byte(code))
				i += 2
				continue
			}
		}
		plain.WriteByte(name[i])
	}
	return plain.String()
}
