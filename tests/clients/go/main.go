// Asks a server as programs in Go do, with Prometheus' own client library, and prints as JSON what the library made of the
// answers: for exemplars, for everything else that can be read, or to change something.
//
//	asks exemplars|reads|writes URL QUERY START END
//
// Times are unix seconds. An answer that is an error is printed as {"errorType": …, "error": …}; anything else that goes
// wrong ends it with status 1.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/api"
	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 5 {
		return errors.New("usage: asks exemplars|reads|writes URL QUERY START END")
	}
	start, err := seconds(args[3])
	if err != nil {
		return err
	}
	end, err := seconds(args[4])
	if err != nil {
		return err
	}
	client, err := api.NewClient(api.Config{Address: args[1]})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	switch prometheus := v1.NewAPI(client); args[0] {
	case "exemplars":
		return exemplars(ctx, prometheus, args[2], start, end)
	case "reads":
		return json.NewEncoder(os.Stdout).Encode(reads(ctx, prometheus, args[2], start, end))
	case "writes":
		return json.NewEncoder(os.Stdout).Encode(writes(ctx, prometheus, start, end))
	default:
		return fmt.Errorf("nobody knows how to ask %q", args[0])
	}
}

func exemplars(ctx context.Context, api v1.API, query string, start, end time.Time) error {
	found, err := api.QueryExemplars(ctx, query, start, end)
	var refused *v1.Error
	if errors.As(err, &refused) {
		return json.NewEncoder(os.Stdout).Encode(map[string]any{"errorType": refused.Type, "error": refused.Msg})
	}
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(found)
}

func seconds(text string) (time.Time, error) {
	value, err := strconv.ParseFloat(text, 64)
	return time.UnixMilli(int64(math.Round(value * 1000))), err
}
