// Asks a server for exemplars as programs in Go do, with Prometheus' own client library, and prints as JSON what the
// library made of the answer.
//
//	exemplars URL QUERY START END
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
	if len(args) != 4 {
		return errors.New("usage: exemplars URL QUERY START END")
	}
	start, err := seconds(args[2])
	if err != nil {
		return err
	}
	end, err := seconds(args[3])
	if err != nil {
		return err
	}
	client, err := api.NewClient(api.Config{Address: args[0]})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	found, err := v1.NewAPI(client).QueryExemplars(ctx, args[1], start, end)
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
