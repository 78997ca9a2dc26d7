package jobs

import (
	"context"
	"errors"

	"sceau/issuance"
	"sceau/lifecycle"
	"sceau/mail"
	"sceau/notice"
)

// Mailer hands a message to whoever carries it, and answers its Message-ID. An
// error of kind invalid is a refusal that no retry helps.
type Mailer interface {
	Send(ctx context.Context, m mail.Message) (messageID string, err error)
}

// noticeAttempts are the days, four with River's pauses, for which a mail server
// may have its troubles. Then a person looks.
const noticeAttempts = 18

// sendNotice sends one notice. Killed after the server took it, it is sent again
// under the same Message-ID.
func (t Tools) sendNotice(ctx context.Context, args issuance.NoticeArgs, done issuance.Done) error {
	plan, err := t.Service.BeginNotice(ctx, args.Notice)
	if err != nil {
		return err
	}
	if plan.Over {
		return t.Service.Complete(ctx, done)
	}
	id, err := t.mailNotice(ctx, plan)
	switch {
	case err == nil:
		return t.Service.FinishNotice(ctx, plan, id, done)
	case errors.Is(err, lifecycle.Invalid), plan.Attempts >= noticeAttempts && ctx.Err() == nil:
		return t.Service.FailNotice(ctx, plan, err.Error(), done)
	}
	return err
}

func (t Tools) mailNotice(ctx context.Context, p issuance.NoticePlan) (string, error) {
	phone := t.Bank.Phone
	if local, ok := t.Phones[p.Country]; ok {
		phone = local
	}
	text, err := notice.Compose(notice.Notice{
		Kind: p.Kind, Days: p.Days, Corrected: p.Corrected, Setting: p.Setting, Change: p.Change, Language: p.Language, GivenName: p.GivenName, Surname: p.Surname, Organisation: p.Organisation,
		Serial: p.Serial, At: p.At, Ends: p.Ends, Reason: p.Reason, Bank: t.Bank.Name, Phone: phone,
	})
	if err != nil {
		return "", err
	}
	return t.Mail.Send(ctx, mail.Message{
		ID: string(p.Notice), To: p.Address, Subject: text.Subject, Body: text.Body, Language: p.Language, Date: t.Now(),
	})
}

// remind makes the notices of certificates that expire soon, and those of campaigns.
func (t Tools) remind(ctx context.Context, _ issuance.RemindArgs, done issuance.Done) error {
	if _, err := t.Service.RemindDue(ctx); err != nil {
		return err
	}
	if _, err := t.Service.FollowCampaigns(ctx); err != nil {
		return err
	}
	return t.Service.Complete(ctx, done)
}
