package letter

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	_ "image/jpeg" // formats in which a logo comes
	"image/png"

	"sceau/lifecycle"
)

// Bounds of a logo. What is finer than the printer needs is made coarser.
const (
	maxLogoBytes  = 128 << 10
	maxLogoSide   = 4000
	minLogoSide   = 24
	maxLogoPixels = 4 << 20
	logoColumns   = 720 // 60 mm at 300 dots an inch
	logoRows      = 168 // 14 mm
	logoWidth     = 60.0
	logoHeight    = 14.0
)

// logo is a picture on white, made again from its pixels: no octet of the file
// that somebody sent is in a letter.
type logo struct {
	columns, rows int
	png           []byte
	rgb           []byte // compressed for a PDF, each row as its difference from the one above
}

// size is the picture's size on paper in millimetres.
func (l *logo) size() (width, height float64) {
	scale := min(logoWidth/float64(l.columns), logoHeight/float64(l.rows))
	return scale * float64(l.columns), scale * float64(l.rows)
}

// readLogo reads a PNG or JPEG file, bounded before it is decoded.
func readLogo(file []byte) (*logo, error) {
	if len(file) == 0 || len(file) > maxLogoBytes {
		return nil, fmt.Errorf("%w: a logo has 1 to %d KiB", lifecycle.Invalid, maxLogoBytes>>10)
	}
	about, format, err := image.DecodeConfig(bytes.NewReader(file))
	if err != nil || format != "png" && format != "jpeg" {
		return nil, fmt.Errorf("%w: a logo is a PNG or JPEG file", lifecycle.Invalid)
	}
	if w, h := about.Width, about.Height; w < minLogoSide || h < minLogoSide || w > maxLogoSide || h > maxLogoSide || w*h > maxLogoPixels {
		return nil, fmt.Errorf("%w: a logo has %d to %d pixels a side and %d megapixels at most, this one is %d by %d",
			lifecycle.Invalid, minLogoSide, maxLogoSide, maxLogoPixels>>20, w, h)
	}
	picture, _, err := image.Decode(bytes.NewReader(file))
	if err != nil {
		return nil, fmt.Errorf("%w: the logo's file is damaged", lifecycle.Invalid)
	}
	return newLogo(picture)
}

func newLogo(picture image.Image) (*logo, error) {
	small := coarse(onWhite(picture))
	l := &logo{columns: small.Rect.Dx(), rows: small.Rect.Dy()}
	var file bytes.Buffer
	if err := png.Encode(&file, small); err != nil {
		return nil, fmt.Errorf("make the logo again: %w", err)
	}
	if file.Len() > maxLogoBytes {
		return nil, fmt.Errorf("%w: the logo takes %d KiB once made again, %d at most: a simpler picture prints better", lifecycle.Invalid,
			file.Len()>>10, maxLogoBytes>>10)
	}
	l.png = file.Bytes()
	var err error
	l.rgb, err = deflate(differences(small))
	return l, err
}

// onWhite lays a picture on paper.
func onWhite(picture image.Image) *image.RGBA {
	area := picture.Bounds()
	paper := image.NewRGBA(image.Rect(0, 0, area.Dx(), area.Dy()))
	draw.Draw(paper, paper.Rect, image.White, image.Point{}, draw.Src)
	draw.Draw(paper, paper.Rect, picture, area.Min, draw.Over)
	return paper
}

// coarse is a picture of at most as many pixels as are printed, each the mean of
// those that it stands for.
func coarse(p *image.RGBA) *image.RGBA {
	w, h := p.Rect.Dx(), p.Rect.Dy()
	times := max(1, (w+logoColumns-1)/logoColumns, (h+logoRows-1)/logoRows)
	if times == 1 {
		return p
	}
	small := image.NewRGBA(image.Rect(0, 0, max(1, w/times), max(1, h/times)))
	for y := range small.Rect.Dy() {
		for x := range small.Rect.Dx() {
			var sum [3]int
			for dy := range times {
				row := p.Pix[p.PixOffset(x*times, y*times+dy):]
				for dx := range times {
					for c := range sum {
						sum[c] += int(row[4*dx+c])
					}
				}
			}
			n := times * times
			small.SetRGBA(x, y, color.RGBA{uint8(sum[0] / n), uint8(sum[1] / n), uint8(sum[2] / n), 0xFF}) //nolint:gosec // means of octets
		}
	}
	return small
}

// differences are the rows of a picture as PNG's predictor "up" has them (ISO
// 32000-1 §7.4.4.4): colours that go on take next to nothing.
func differences(p *image.RGBA) []byte {
	const up = 2
	w, h := p.Rect.Dx(), p.Rect.Dy()
	out := make([]byte, 0, h*(1+3*w))
	above := make([]byte, 4*w)
	for y := range h {
		row := p.Pix[p.PixOffset(0, y):][:4*w]
		out = append(out, up)
		for i := range row {
			if i%4 != 3 {
				out = append(out, row[i]-above[i])
			}
		}
		above = row
	}
	return out
}

// logoObject writes the picture of a document.
func (w *objects) logoObject(l *logo) {
	w.stream(l.rgb, fmt.Sprintf("/Type/XObject/Subtype/Image/Width %d/Height %d/ColorSpace/DeviceRGB/BitsPerComponent 8"+
		"/Filter/FlateDecode/DecodeParms<</Predictor 15/Colors 3/Columns %d>>", l.columns, l.rows, l.columns))
}
