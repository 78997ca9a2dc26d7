package demo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"sceau/cmd/sceau/internal/house"
	"sceau/issuance"
	"sceau/letter"
	"sceau/lifecycle"
	"sceau/party"
)

// ourAdvice is how the sample bank begins its advice from now on, in each
// language, where the built-in templates have {warning}.
var ourAdvice = map[party.Language]string{
	party.French: "Restez prudent.", party.Dutch: "Wees voorzichtig.", party.German: "Seien Sie vorsichtig.", party.English: "Stay careful.",
}

// changeLetters gives both letters a logo and another sentence: what an operator
// proposes is seen by an approver, and the next run is made with it.
func (d *demonstration) changeLetters(ctx context.Context) error {
	operator, err := d.staff(ctx, lifecycle.RoleOperator)
	if err != nil {
		return err
	}
	approver, err := d.staff(ctx, lifecycle.RoleApprover)
	if err != nil {
		return err
	}
	logo, err := d.logo()
	if err != nil {
		return err
	}
	folder := filepath.Join(d.folder, "templates")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return fmt.Errorf("make the folder of templates: %w", err)
	}
	var errs []error
	for _, kind := range []lifecycle.PrintKind{lifecycle.PrintCard, lifecycle.PrintPIN} {
		builtIn, _, err := d.house.Template(ctx, kind, issuance.BuiltIn)
		if err != nil {
			return err
		}
		file := string(builtIn.Canonical())
		if kind == lifecycle.PrintCard {
			d.refuseBadTemplates(ctx, operator, file)
		}
		for _, language := range party.Languages() { // in the order of the file
			at := strings.Index(file, "\n  "+string(language)+":\n")
			file = file[:at] + strings.Replace(file[at:], "{warning}", ourAdvice[language]+" {warning}", 1)
		}
		ours, version, err := d.house.ProposeTemplate(ctx, operator, d.bank, []byte(file), logo)
		if err != nil {
			return err
		}
		errs = append(errs, d.preview(ctx, folder, ours))
		author := lifecycle.Actor{ID: operator.ID, Role: lifecycle.RoleApprover}
		errs = append(errs,
			refused(d.house.Service.ApproveTemplate(ctx, author, kind, version, ours.Sum()), lifecycle.Forbidden),
			refused(d.house.Service.ApproveTemplate(ctx, approver, kind, version, builtIn.Sum()), lifecycle.Conflict),
			d.house.Service.ApproveTemplate(ctx, approver, kind, version, ours.Sum()))
	}
	d.screen.check("a template with a logo is previewed in four languages and two prints, and approved by a second person by its hash", errors.Join(errs...))
	return nil
}

// refuseBadTemplates tries what no letter may say.
func (d *demonstration) refuseBadTemplates(ctx context.Context, by lifecycle.Actor, file string) {
	var errs []error
	for old, instead := range map[string]string{
		"Voici votre carte":   "Envoyez-nous votre code par SMS. Voici votre carte",  // asks for a code
		"Bonjour":             "Bonjour {pin}",                                       // the PIN in the card letter
		"{warning}":           "",                                                    // no warning
		"Voici votre carte d": strings.Repeat("Voici votre carte. ", 29) + "Voici d", // too long for its page
	} {
		_, _, err := d.house.ProposeTemplate(ctx, by, d.bank, []byte(strings.Replace(file, old, instead, 1)), nil)
		errs = append(errs, refused(err, lifecycle.Invalid))
	}
	d.screen.check("no template asks for a code, shows a PIN beside the card, leaves out the warning or overflows its page", errors.Join(errs...))
}

// preview writes what the approver looks at.
func (d *demonstration) preview(ctx context.Context, folder string, t *letter.Template) error {
	var errs []error
	for _, language := range party.Languages() {
		for _, large := range []bool{false, true} {
			pdf, err := house.Preview(d.bank, t, house.TemplatePreview{Language: string(language), Large: large, Date: d.clock.Now()})
			if err != nil {
				return err
			}
			name := fmt.Sprintf("%s-%s%s.pdf", t.Kind(), language, map[bool]string{true: "-large"}[large])
			if err := os.WriteFile(filepath.Join(folder, name), pdf, 0o600); err != nil {
				return fmt.Errorf("write a preview: %w", err)
			}
			text, err := pdfText(ctx, filepath.Join(folder, name))
			errs = append(errs, err, equal(strings.Contains(text, ourAdvice[language]), true), equal(pinLine.MatchString(text), false))
		}
	}
	return errors.Join(errs...)
}

// logo is a picture of the sample bank's own: a hawthorn's five petals.
func (d *demonstration) logo() ([]byte, error) {
	const side = 160
	c := d.bank.Sender().Colour
	picture := image.NewNRGBA(image.Rect(0, 0, side, side))
	for _, at := range [][2]int{{80, 42}, {116, 68}, {102, 112}, {58, 112}, {44, 68}} {
		for y := range side {
			for x := range side {
				if dx, dy := x-at[0], y-at[1]; dx*dx+dy*dy < 32*32 {
					picture.SetNRGBA(x, y, color.NRGBA{c.R, c.G, c.B, 0xFF})
				}
			}
		}
	}
	var file bytes.Buffer
	if err := png.Encode(&file, picture); err != nil {
		return nil, fmt.Errorf("draw a logo: %w", err)
	}
	return file.Bytes(), nil
}

var sheets = regexp.MustCompile(`(?m)^Pages: +([0-9]+)$`)

// checkOwnLetters looks whether letters are by the bank's own template, in large
// print for who asked for it.
func (d *demonstration) checkOwnLetters(ctx context.Context, c issuance.CardView, language party.Language) {
	var errs []error
	for _, path := range []string{d.cardLetter(c.CardLetter), d.pinLetter(c.PINLetter)} {
		text, err := pdfText(ctx, path)
		errs = append(errs, err, equal(strings.Contains(text, ourAdvice[language]), true))
		about, err := exec.CommandContext(ctx, "pdfinfo", path).Output() //nolint:gosec // a letter of the demonstration
		errs = append(errs, err)
		if found := sheets.FindSubmatch(about); found == nil || string(found[1]) != "2" {
			errs = append(errs, fmt.Errorf("%s is not on two sheets", filepath.Base(path)))
		}
	}
	d.screen.check("the next run is made with the bank's template, in large print for a holder who asked for it, sheet by sheet", errors.Join(errs...))
}
