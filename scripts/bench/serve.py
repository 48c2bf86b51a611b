"""The load test of `tuwen serve`, called by serve.sh: starts the server, asks it by wrk (serve.lua), and prints a table.

Fresh queries are sentences that nobody asked before in the same run, so that no cache answers them. Percentiles are
wrk's, which adds the requests that a client would have sent while it waited."""
import argparse
import http.client
import json
import os
import pathlib
import re
import signal
import statistics
import subprocess
import time

HERE = pathlib.Path(__file__).parent


class Server:
    def __init__(self, tuwen, gallery):
        began = time.perf_counter()
        command = [tuwen, "serve", "--gallery", gallery, "--listen", "127.0.0.1:0", "--log", "warn"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        line = self.process.stdout.readline().strip()
        if not line.startswith("http://"):
            raise SystemExit(f"{' '.join(map(str, command))}: it does not start")
        self.url = line.rstrip("/")
        self.host = self.url.removeprefix("http://")
        while self.ask("GET", "/ready")[0] != 200:
            if time.perf_counter() - began > 120:
                raise SystemExit("it is not ready after two minutes")
            time.sleep(0.001)
        self.ready_ms = (time.perf_counter() - began) * 1000

    def ask(self, method, path, body=None):
        """Status, body, and milliseconds to the first byte and to the last, the connection included."""
        began = time.perf_counter()
        connection = http.client.HTTPConnection(self.host, timeout=60)
        try:
            headers = {"content-type": "application/json"} if body else {}
            connection.request(method, path, body and json.dumps(body), headers)
            answer = connection.getresponse()
            first = (time.perf_counter() - began) * 1000
            content = answer.read()
            return answer.status, content, first, (time.perf_counter() - began) * 1000
        finally:
            connection.close()

    def memory_mb(self, name="RssAnon"):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(rf"^{name}:\s+(\d+) kB", status, re.M).group(1)) / 1000

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()


class Load:
    """Runs wrk; sentences and lines that were used are not used again."""

    def __init__(self, server, lines):
        self.server, self.lines, self.number, self.line = server, lines, 0, 0

    def start(self, mode, clients, seconds, rate=0):
        threads = 1 if clients == 1 or mode == "file" else 2
        start = self.line if mode == "file" else self.number
        command = ["wrk", f"-t{threads}", f"-c{clients}", f"-d{seconds}s", "--timeout", "60s",
                   "-s", HERE / "serve.lua", self.server.url, "--", mode, start, rate, self.lines, threads]
        return subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, text=True)

    def end(self, mode, process):
        output = process.communicate()[0]
        if process.returncode != 0:
            raise SystemExit(f"wrk failed:\n{output}")
        result = json.loads(output.strip().splitlines()[-1])
        # Two threads do not go at the same pace: the number of the faster one counts.
        used = 2 * result["used"] + 16
        if mode == "file":
            self.line += result["used"]
        else:
            self.number += used
        result["rate"] = result["requests"] / result["seconds"]
        return result

    def run(self, mode, clients, seconds, rate=0):
        return self.end(mode, self.start(mode, clients, seconds, rate))


def processor():
    text = pathlib.Path("/proc/cpuinfo").read_text()
    name = re.search(r"model name\s*:\s*(.*)", text)
    wide = "AVX-512" if "avx512f" in text else "AVX2" if "avx2" in text else "no AVX2"
    return f"{len(os.sched_getaffinity(0))} cores of {name.group(1) if name else 'an unnamed processor'}, {wide}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tuwen", required=True)
    parser.add_argument("--folder", type=pathlib.Path, required=True)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--connections", type=int, default=900)
    args = parser.parse_args()
    rows, seconds = [], max(1, round(args.seconds))

    def row(what, measured):
        rows.append((what, measured))
        print(f"{what}: {measured}", flush=True)

    starts = []
    for attempt in range(5):
        server = Server(args.tuwen, args.folder / "gallery")
        starts.append(server.ready_ms)
        if attempt < 4:
            server.stop()
    try:
        measure(args, server, starts, seconds, row)
    finally:
        server.stop()
    print(f"\n{processor()}; load before it began {BEFORE:.1f}\n\n| what | measured |\n|---|---|")
    for what, measured in rows:
        print(f"| {what} | {measured} |")


def measure(args, server, starts, seconds, row):
    load = Load(server, args.folder / "queries.jsonl")
    stats = json.loads(server.ask("GET", "/v1/stats")[1])["galleries"][0]
    row("gallery", f"{stats['images']:,} pictures, {stats['model']}, {stats['dim']} values")
    row("cold start to `/ready`, five starts, files in the page cache",
        f"{statistics.median(starts):.0f} ms ({min(starts):.0f} to {max(starts):.0f})")
    warm(server)
    row("memory of its own before the load", f"{server.memory_mb():.0f} MB")
    first = sorted(server.ask("GET", "/")[2] for _ in range(200))
    row("first byte of the page, 200 times, connection included", f"p50 {first[100]:.1f} ms, p99 {first[197]:.1f} ms")

    def line(result):
        failed = result["status"] + result["socket"] + result["timeout"]
        text = f"{result['rate']:.0f}/s, p50 {result['p50']:.1f} ms, p99 {result['p99']:.1f} ms"
        return text + (f", **{failed} failed**" if failed else "")

    one = load.run("fresh", 1, seconds)
    row("text search, fresh queries, 1 client", line(one))
    eight = load.run("fresh", 8, seconds)
    row("text search, fresh queries, 8 clients", line(eight))
    row("text search, one query again and again, 8 clients", line(load.run("same", 8, seconds)))
    image = load.run("file", 1, seconds)
    with open(load.lines, encoding="utf-8") as file:
        again = max(0, image["used"] - sum(1 for _ in file))
    row("search by a picture of 640 x 480, fresh, 1 client", line(image) + (f", **{again} not fresh**" if again else ""))
    row("a fresh search, then its first thumbnail, 1 client", pictures(server))
    overload(args, server, load, 2 * eight["rate"], one["p50"], row)


def warm(server):
    """What a server does once, behind its readiness: the first queries, and what scores mean."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        answer = json.loads(server.ask("POST", "/v1/search", {"query": "a first query", "k": 1})[1])
        stats = json.loads(server.ask("GET", "/v1/stats")[1])["galleries"][0]
        if answer.get("hits") and stats.get("calibrated", True):
            return
        time.sleep(0.2)


def pictures(server):
    times = []
    for number in range(30):
        began = time.perf_counter()
        body = {"query": f"picture {number} of a harbour 港口{number}", "k": 20}
        hit = json.loads(server.ask("POST", "/v1/search", body)[1])["hits"][0]
        status = server.ask("GET", hit["thumbnail"])[0]
        if status != 200:
            return f"**the thumbnail has {status}**"
        times.append((time.perf_counter() - began) * 1000)
    return f"p50 {statistics.median(times):.0f} ms, longest {max(times):.0f} ms"


def overload(args, server, load, rate, usual_ms, row):
    seconds = max(2, round(args.minutes * 60))
    before, samples, health, beside = server.memory_mb(), [], [], []
    process = load.start("fresh", args.connections, seconds, rate)
    end = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < end:
        samples.append(server.memory_mb())
        health.append(server.ask("GET", "/health")[2])
        status, _, _, took = server.ask("POST", "/v1/search", {"query": f"in the storm {len(samples)} 风暴中", "k": 20})
        if status == 200:
            beside.append(took)
        time.sleep(min(1, seconds / 20))
    result = load.end("fresh", process)
    ended, back = time.perf_counter(), None
    after = []
    while time.perf_counter() - ended < 5:
        body = {"query": f"after the storm {len(after)} 暴风雨之后{len(after)}", "k": 20}
        status, _, _, took = server.ask("POST", "/v1/search", body)
        good = status == 200 and took < max(2 * usual_ms, usual_ms + 5)
        after.append(took)
        back = (back or time.perf_counter() - ended) if good else None if len(after) < 3 else back
        time.sleep(0.05)
    other = result["failed"] + result["socket"] + result["timeout"]
    worst = f" ({result['worst']})" if result["worst"] else ""
    one_beside = f"{len(beside)} of {len(samples)} searches beside it answered"
    if beside:
        one_beside += f", p50 {statistics.median(beside):.0f} ms, longest {max(beside):.0f} ms"
    row(f"{rate:.0f}/s asked for (twice what 8 clients got) over {seconds / 60:g} minutes, {args.connections} connections",
        f"{result['rate']:.0f}/s came: {result['answered'] / result['seconds']:.0f}/s answered, {result['refused']} with 429, "
        f"{other} other errors{worst}; {one_beside}; `/health` at most {max(health):.0f} ms")
    middle = samples[len(samples) // 2]
    row("memory of its own: before, in the middle, at the end, 5 s after", f"{before:.0f}, {middle:.0f}, {samples[-1]:.0f}, "
        f"{server.memory_mb():.0f} MB (with mapped files {server.memory_mb('VmRSS'):.0f})")
    row("text search after it, 1 client", f"usual again after {back:.1f} s" if back is not None else
        f"**not usual again in 5 s**; p50 {statistics.median(after):.1f} ms")


BEFORE = os.getloadavg()[0]

if __name__ == "__main__":
    main()
