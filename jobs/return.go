package jobs

import (
	"bytes"
	"context"

	"sceau/bureau"
	"sceau/issuance"
	"sceau/lifecycle"
)

// ParseReturn reads a bureau's return file.
func ParseReturn(content []byte) ([]issuance.BureauAnswer, lifecycle.BatchID, error) {
	file, err := bureau.ParseReturn(bytes.NewReader(content))
	if err != nil {
		return nil, "", err
	}
	answers := make([]issuance.BureauAnswer, len(file.Cards))
	for i, l := range file.Cards {
		answers[i] = issuance.BureauAnswer{Card: l.Card, Result: l.Result, PlasticSerial: l.Plastic, Reason: l.Reason}
	}
	return answers, file.Batch, nil
}

// TakeReturn takes a return file at the door: one that cannot be read is
// refused with line and field, and one that was taken before is a
// [lifecycle.Conflict].
func TakeReturn(ctx context.Context, svc *issuance.Service, by lifecycle.Actor, content []byte) (lifecycle.ReturnFileID, error) {
	_, batch, err := ParseReturn(content)
	if err != nil {
		return "", err
	}
	return svc.TakeReturnFile(ctx, by, batch, content)
}
