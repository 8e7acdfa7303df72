#!/usr/bin/env python3
"""Turns the JSON of zcmoe-bench into the Markdown tables of README.md: python3 table.py numbers.json

One row a benchmark: median of the samples and their spread (standard deviation over mean). Latencies have a table of
their own. A device that is emulated gives no times."""
import json
import sys


def is_latency(name):
    return "/latency/" in name


def medians(report):
    """{name: (ns a row, percent of the limit, relative spread, GB/s, threads), None if not timed} in file order.
    A latency has no limit and no GB/s: None."""
    times, result = {}, {}
    for run in report["benchmarks"]:
        name = run["run_name"]
        if run.get("error_occurred"):
            result[name] = None
        elif run["run_type"] == "iteration":
            times.setdefault(name, []).append(run)
    for name, runs in times.items():
        if any("items_per_second" not in run for run in runs):
            result[name] = None
            continue
        middle = sorted(runs, key=lambda run: run["items_per_second"])[len(runs) // 2]
        rates = [run["items_per_second"] for run in runs]
        mean = sum(rates) / len(rates)
        deviation = (sum((rate - mean) ** 2 for rate in rates) / max(len(rates) - 1, 1)) ** 0.5
        share = rate = None
        if not is_latency(name):
            shares = sorted(run["percent_of_copy"] for run in runs)
            share, rate = shares[len(shares) // 2], middle["bytes_per_second"] / 1e9
        result[name] = (1e9 / middle["items_per_second"], share, deviation / mean, rate, middle["threads"])
    return result


def table(report):
    context = report["context"]
    emulated = context.get("emulated") is True
    lines = [f"{context['date'][:10]}, {context['cpu_model']}, {context['num_cpus']} cores, "
             f"{int(context['cpu_rows']):,} rows; {context['zcmoe']}."]
    load = context["load_avg"][0] if context.get("load_avg") else 0
    if load > 0.5 * context["num_cpus"]:
        lines.append(f"Load average {load:.1f} at the start: other work shared the machine, so times are too long.")
    if "cuda_device" in context:
        lines.append(f"CUDA: {context['cuda_device']}" + (", emulated: no times." if emulated else
                                                          f", {int(context['cuda_rows']):,} rows."))
    else:
        lines.append(f"No CUDA device ({context['no_cuda']}): every number is the CPU's.")
    results = medians(report)
    throughput = [(name, numbers) for name, numbers in results.items() if not is_latency(name)]
    latency = [(name, numbers) for name, numbers in results.items() if is_latency(name)]
    if throughput:
        lines += ["", "| benchmark | engine | threads | ns a row | GB/s | % of the limit | spread |",
                  "|---|---|---|---|---|---|---|"]
    for name, numbers in throughput:
        is_cuda = name.startswith("cuda/")
        if numbers is None or (is_cuda and emulated):
            lines.append(f"| `{name}` | {'CUDA' if is_cuda else 'CPU'} | – | – | – | – | – |")
            continue
        row, share, spread, rate, threads = numbers
        lines.append(f"| `{name}` | {'CUDA' if is_cuda else 'CPU'} | {'–' if is_cuda else threads} | {row:.3g} | "
                     f"{rate:.3g} | {share:.3g} | {100 * spread:.0f} % |")
    if latency:
        lines += ["", "| benchmark | engine | threads | ns a call | ns a row | spread |", "|---|---|---|---|---|---|"]
    for name, numbers in latency:
        if numbers is None:
            lines.append(f"| `{name}` | CPU | – | – | – | – |")
            continue
        row, _, spread, _, threads = numbers
        call = row * int(name.rsplit("/n:", 1)[1])
        lines.append(f"| `{name}` | CPU | {threads} | {call:.3g} | {row:.3g} | {100 * spread:.0f} % |")
    return "\n".join(lines)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: table.py numbers.json")
    with open(sys.argv[1], encoding="utf-8") as file:
        print(table(json.load(file)))
