package issuance

import "sceau/lifecycle"

// The jobs' arguments: identifiers only.
type (
	// PersonaliseArgs asks for a batch's keys and PINs.
	PersonaliseArgs struct {
		Batch lifecycle.BatchID `json:"batch"`
	}
	// BureauFileArgs asks for a batch's file.
	BureauFileArgs struct {
		Batch lifecycle.BatchID `json:"batch"`
	}
	// BureauReturnArgs asks to reconcile a return file.
	BureauReturnArgs struct {
		File lifecycle.ReturnFileID `json:"file"`
	}
	// GatherLettersArgs asks to make print runs of the letters that wait.
	GatherLettersArgs struct{}
	// CardRunArgs asks for a run of card letters.
	CardRunArgs struct {
		Run lifecycle.PrintRunID `json:"run"`
	}
	// PINRunArgs asks for a run of PIN letters.
	PINRunArgs struct {
		Run lifecycle.PrintRunID `json:"run"`
	}
	// ForgetFilesArgs asks to erase print files that are too old.
	ForgetFilesArgs struct{}
	// PINDestroyArgs asks to erase a PIN that must never be used.
	PINDestroyArgs struct {
		Card       lifecycle.CardID `json:"card"`
		PINVersion int32            `json:"pin_version"`
	}
	// PostLettersArgs asks to post what is due.
	PostLettersArgs struct{}
	// CertificateIssueArgs asks to sign a certificate.
	CertificateIssueArgs struct {
		Certificate lifecycle.CertificateID `json:"certificate"`
	}
	// CRLPublishArgs asks for a shard's lists, or with no issuer named, for those of
	// every shard that has some to come. A scheduled publication happens
	// even when nothing changed, and is the base of the deltas after it.
	CRLPublishArgs struct {
		Issuer    string `json:"issuer"`
		Shard     int32  `json:"shard"`
		Scheduled bool   `json:"scheduled,omitempty"`
	}
	// OCSPRefreshArgs asks for the answer of one certificate to be signed
	// ahead, or with none named, for all that are stale.
	OCSPRefreshArgs struct {
		Certificate lifecycle.CertificateID `json:"certificate,omitempty"`
	}
	// RevokeIssuedArgs asks to revoke what a revoked CA has signed.
	RevokeIssuedArgs struct {
		Issuer string `json:"issuer"`
	}
	// ExpireArgs asks to expire what has reached its end.
	ExpireArgs struct{}
	// RevocationWatchArgs asks to look at lists and answers from outside.
	RevocationWatchArgs struct{}
	// RevocationsDueArgs asks for the revocations whose moment has come.
	RevocationsDueArgs struct{}
	// CampaignArgs asks to order a campaign's next cards.
	CampaignArgs struct {
		Campaign lifecycle.CampaignID `json:"campaign"`
	}
	// NoticeArgs asks to send a notice.
	NoticeArgs struct {
		Notice lifecycle.NoticeID `json:"notice"`
	}
	// RemindArgs asks for notices of the certificates that expire soon.
	RemindArgs struct{}
	// ForeignListsArgs asks to fetch the lists of other CAs that are due.
	ForeignListsArgs struct{}
)

// Kind is the job's name for ever.
func (PersonaliseArgs) Kind() string      { return string(lifecycle.JobPersonalise) }
func (BureauFileArgs) Kind() string       { return string(lifecycle.JobBureauFile) }
func (BureauReturnArgs) Kind() string     { return string(lifecycle.JobBureauReturn) }
func (GatherLettersArgs) Kind() string    { return string(lifecycle.JobGatherLetters) }
func (CardRunArgs) Kind() string          { return string(lifecycle.JobCardRun) }
func (PINRunArgs) Kind() string           { return string(lifecycle.JobPINRun) }
func (ForgetFilesArgs) Kind() string      { return string(lifecycle.JobForgetFiles) }
func (PINDestroyArgs) Kind() string       { return string(lifecycle.JobPINDestroy) }
func (PostLettersArgs) Kind() string      { return string(lifecycle.JobPostLetters) }
func (CertificateIssueArgs) Kind() string { return string(lifecycle.JobCertificateIssue) }
func (CRLPublishArgs) Kind() string       { return string(lifecycle.JobCRLPublish) }
func (OCSPRefreshArgs) Kind() string      { return string(lifecycle.JobOCSPRefresh) }
func (RevokeIssuedArgs) Kind() string     { return string(lifecycle.JobRevokeIssued) }
func (ExpireArgs) Kind() string           { return string(lifecycle.JobExpire) }
func (CampaignArgs) Kind() string         { return string(lifecycle.JobCampaign) }
func (RevocationsDueArgs) Kind() string   { return string(lifecycle.JobRevocationsDue) }
func (RevocationWatchArgs) Kind() string  { return string(lifecycle.JobRevocationWatch) }
func (NoticeArgs) Kind() string           { return string(lifecycle.JobNoticeSend) }
func (RemindArgs) Kind() string           { return string(lifecycle.JobRemind) }
func (ForeignListsArgs) Kind() string     { return string(lifecycle.JobForeignLists) }
