"""Asks a server as programs in Python do, with prometheus-api-client, and prints as JSON what the library made of the
answers.

    asks.py URL QUERY START END

Times are unix seconds. An answer that is an error is printed as {"error": STATUS}.
"""

import json
import sys
from datetime import datetime, timezone

from prometheus_api_client import PrometheusApiClientException, PrometheusConnect
from requests.exceptions import RetryError


def main(url, query, start, end):
    start, end = (datetime.fromtimestamp(float(time), timezone.utc) for time in (start, end))
    server = PrometheusConnect(url=url)
    at = {"time": end.timestamp()}
    # One series, for VictoriaMetrics has no order for the samples of several.
    shop = {"job": "shop"}
    between = {"start": start.timestamp(), "end": end.timestamp()}
    calls = {
        "check_prometheus_connection": server.check_prometheus_connection,
        "all_metrics": lambda: server.all_metrics(params=between),
        "get_series": lambda: server.get_series(start, end, params={"match[]": "up"}),
        "get_label_names": lambda: server.get_label_names(params=between),
        "get_label_values": lambda: server.get_label_values("job", params=between),
        "get_current_metric_value": lambda: server.get_current_metric_value("up", params=at),
        "get_metric_range_data": lambda: server.get_metric_range_data("up", shop, start_time=start, end_time=end),
        "custom_query": lambda: server.custom_query(query, params=at),
        "custom_query of nothing": lambda: server.custom_query(")"),
        "custom_query_range": lambda: server.custom_query_range(query, start, end, "5"),
        "get_targets": server.get_targets,
        "get_target_metadata": lambda: server.get_target_metadata(shop),
        "get_metric_metadata": lambda: server.get_metric_metadata("up"),
    }
    json.dump({name: outcome(call) for name, call in calls.items()}, sys.stdout)


def outcome(call):
    try:
        return call()
    except PrometheusApiClientException as error:
        # "HTTP Status Code 422 (b'…')", with a message that has ports in it.
        return {"error": str(error).partition(" (")[0]}
    except RetryError as error:
        return {"error": type(error).__name__}


if __name__ == "__main__":
    main(*sys.argv[1:])
