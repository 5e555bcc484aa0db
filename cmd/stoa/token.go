// SPDX-FileCopyrightText: The Stoa Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/util/duration"
	"k8s.io/client-go/kubernetes"

	"github.com/stoa-project/stoa/authn/bootstraptoken"
)

const (
	// defaultTTL and defaultGroup are those of kubeadm.
	defaultTTL   = 24 * time.Hour
	defaultGroup = "system:bootstrappers:kubeadm:default-node-token"

	none = "<none>"
)

func newTokenCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "token",
		Short: "Manage bootstrap tokens, as kubeadm does",
		Long: "Manages bootstrap tokens: secrets in kube-system with which machines introduce themselves to a server\n" +
			"that runs with --enable-bootstrap-token-auth.",
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return errors.New("one of create, list, delete and generate must follow")
		},
	}
	client := &clientFlags{}
	client.addTo(command)
	command.AddCommand(newTokenCreateCommand(client), newTokenListCommand(client), newTokenDeleteCommand(client), &cobra.Command{
		Use:   "generate",
		Short: "Print a random token, and ask no server",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(cmd.OutOrStdout(), bootstraptoken.Generate().Value())
			return err
		},
	})
	return command
}

func newTokenCreateCommand(flags *clientFlags) *cobra.Command {
	var ttl time.Duration
	token := &bootstraptoken.Token{}
	command := &cobra.Command{
		Use:   "create [token]",
		Short: "Create a token on the server, and print it",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, arguments []string) error {
			fresh := bootstraptoken.Generate()
			token.ID, token.Secret = fresh.ID, fresh.Secret
			if len(arguments) > 0 {
				token.ID, token.Secret, _ = bootstraptoken.Parse(arguments[0]) // Validate says what is wrong
			}
			if !cmd.Flags().Changed("groups") && !slices.Contains(token.Usages, bootstraptoken.UsageAuthentication) {
				token.Groups = nil
			}
			if ttl < 0 {
				return errors.New("--ttl must not be negative")
			}
			if ttl > 0 {
				token.Expires = time.Now().Add(ttl)
			}
			if err := token.Validate(); err != nil {
				return err
			}
			client, err := flags.client()
			if err != nil {
				return err
			}
			if _, err := client.CoreV1().Secrets(metav1.NamespaceSystem).Create(cmd.Context(), token.Object(), metav1.CreateOptions{}); err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), token.Value())
			return err
		},
	}
	command.Flags().DurationVar(&ttl, "ttl", defaultTTL, "How long the token lives, such as 1s, 2m, 3h. 0: it never expires.")
	command.Flags().StringSliceVar(&token.Usages, "usages", []string{bootstraptoken.UsageSigning, bootstraptoken.UsageAuthentication}, "What the token is good for: signing, authentication.")
	command.Flags().StringSliceVar(&token.Groups, "groups", []string{defaultGroup}, "Groups of its user, each of which begins with system:bootstrappers:.")
	command.Flags().StringVar(&token.Description, "description", "", "What the token is for, for people.")
	return command
}

func newTokenListCommand(flags *clientFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the tokens of the server, with their secrets",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			client, err := flags.client()
			if err != nil {
				return err
			}
			list, err := client.CoreV1().Secrets(metav1.NamespaceSystem).List(cmd.Context(), metav1.ListOptions{
				FieldSelector: fields.OneTermEqualSelector("type", bootstraptoken.SecretType).String(),
			})
			if err != nil {
				return err
			}
			tokens, problems := []*bootstraptoken.Token{}, []error{}
			for i := range list.Items {
				token, err := bootstraptoken.FromObject(&list.Items[i])
				if err != nil {
					problems = append(problems, err)
					continue
				}
				tokens = append(tokens, token)
			}
			return errors.Join(append(problems, printTokens(cmd.OutOrStdout(), tokens, time.Now()))...)
		},
	}
}

// printTokens prints the table of kubeadm.
func printTokens(out io.Writer, tokens []*bootstraptoken.Token, now time.Time) error {
	const minimum, tab, padding = 10, 4, 3
	w := tabwriter.NewWriter(out, minimum, tab, padding, ' ', 0)
	fmt.Fprintln(w, "TOKEN\tTTL\tEXPIRES\tUSAGES\tDESCRIPTION\tEXTRA GROUPS")
	or := func(text, otherwise string) string {
		if text == "" {
			return otherwise
		}
		return text
	}
	for _, t := range tokens {
		ttl, expires := "<forever>", "<never>"
		if !t.Expires.IsZero() {
			ttl, expires = duration.ShortHumanDuration(t.Expires.Sub(now)), t.Expires.Format(time.RFC3339)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", t.Value(), ttl, expires,
			or(strings.Join(t.Usages, ","), none), or(t.Description, none), or(strings.Join(t.Groups, ","), none))
	}
	return w.Flush()
}

func newTokenDeleteCommand(flags *clientFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "delete token...",
		Short: "Delete tokens, each given by its ID or as a whole",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, arguments []string) error {
			ids := make([]string, 0, len(arguments))
			for i, argument := range arguments {
				id, _, ok := bootstraptoken.Parse(argument)
				switch {
				case ok:
				case bootstraptoken.IsID(argument):
					id = argument
				default:
					return fmt.Errorf(`argument %d must be of the form "[a-z0-9]{6}" or "[a-z0-9]{6}.[a-z0-9]{16}"`, i+1)
				}
				ids = append(ids, id)
			}
			client, err := flags.client()
			if err != nil {
				return err
			}
			return deleteTokens(cmd, client, ids)
		},
	}
}

func deleteTokens(cmd *cobra.Command, client kubernetes.Interface, ids []string) error {
	for _, id := range ids {
		if err := client.CoreV1().Secrets(metav1.NamespaceSystem).Delete(cmd.Context(), bootstraptoken.SecretName(id), metav1.DeleteOptions{}); err != nil {
			return fmt.Errorf("delete bootstrap token %q: %w", id, err)
		}
		fmt.Fprintf(cmd.OutOrStdout(), "bootstrap token %q deleted\n", id)
	}
	return nil
}
