package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/privet-dev/privet/sidecar/api"
	"github.com/privet-dev/privet/sidecar/client"
)

// callSidecar makes three calls through the Go client, and shows each as the line
// of curl that does the same.
func (s *stage) callSidecar(ctx context.Context) error {
	s.act("A sidecar, for services in any language")
	if err := s.startSidecar(ctx); err != nil {
		return err
	}
	c, err := client.New(client.Config{URL: s.sidecar.URL, TokenFile: s.sidecar.TokenFile})
	if err != nil {
		return err
	}
	defer c.Close()

	const tenant, field, subject, card = "shop", "customer.card", "42", "4111 1111 1111 1111"
	s.say("A card number is encrypted for customer 42,")
	seal := []api.EncryptItem{{Ref: "1", Field: field, Subject: subject, Value: card}}
	sealed, err := c.Encrypt(ctx, tenant, seal)
	if err := s.transcript(api.PathEncrypt, api.EncryptRequest{Tenant: tenant, Items: seal}, sealed, err); err != nil {
		return err
	}

	s.say("opened again, which needs the same tenant, subject and field,")
	open := []api.DecryptItem{{Ref: "1", Field: field, Subject: subject, Value: *sealed[0].Value}}
	opened, err := c.Decrypt(ctx, tenant, open)
	if err := s.transcript(api.PathDecrypt, api.DecryptRequest{Tenant: tenant, Items: open}, opened, err); err != nil {
		return err
	}

	s.say("and masked, together with an address.")
	masks := []api.MaskItem{
		{Ref: "1", Rule: "fpe(keep_last=4)", Type: "card_number", Value: card},
		{Ref: "2", Rule: "email", Value: "maria.gomez@tarnhollow.net"},
	}
	masked, err := c.Mask(ctx, tenant, masks)
	return s.transcript(api.PathMask, api.MaskRequest{Tenant: tenant, Items: masks}, masked, err)
}

// transcript shows one call and its answer. An item without a value ends the demo.
func (s *stage) transcript(path string, request any, results []api.Result, err error) error {
	body, jerr := json.Marshal(request)
	if err = errors.Join(err, jerr); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	s.show(fmt.Sprintf("curl -H \"Authorization: Bearer $(head -n 1 %s)\" \\\n    -H '%s: 1' -H 'Content-Type: application/json' \\\n    -d %s %s",
		s.sidecar.TokenFile, api.Header, typed([]string{string(body)}), s.sidecar.URL+path))
	answer, err := json.Marshal(api.Response{Items: results})
	if err != nil {
		return err
	}
	fmt.Fprintf(s.out, "%s\n", bytes.TrimSpace(answer))
	for _, r := range results {
		switch {
		case r.Problem != nil:
			return fmt.Errorf("%s: %w", path, r.Problem)
		case r.Value == nil:
			return fmt.Errorf("%s: an item came back without a value", path)
		}
	}
	return nil
}
