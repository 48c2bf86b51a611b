// Answers of the server: to the newest question only, page by page. Recent ones are kept, so that the way back shows them
// at once and where they were.

import * as api from "./api.js";
import { session } from "./dom.js";

const PAGE = 60;
const KEPT = 20;
const BUSY_MS = 250;

/// Calls `busy(isBusy)`, `shown(answer, how)` with how "new", "back" or "more", and `failed(problem)`.
export function createAnswers({ busy, shown, failed }) {
	const kept = new Map(); // by question
	let question = null;
	let body = null;
	let answer = null;
	let asking = null;
	let growing = null;
	let hasFailed = false;

	function page(offset, signal) {
		const { listing, ...asked } = body;
		const at = { ...asked, k: PAGE, offset };
		return listing ? api.items(at, signal) : api.search(at, signal);
	}

	/// Asks unless this is what is shown already, and tells whether it did. `picture` stands for the body's in the key.
	function ask(next, picture) {
		const key = JSON.stringify({ ...next, image: picture });
		if (key === question && !hasFailed) return false;
		[question, body] = [key, next];
		leave();
		const known = kept.get(key);
		if (known) {
			busy(false);
			answer = known;
			hasFailed = false;
			shown(answer, "back");
			return true;
		}
		const last = answer ? null : session.get("last");
		if (last?.key === key) {
			// A reload: what was shown stands there again while the server is asked.
			answer = { ...last.answer, done: true };
			shown(answer, "new");
		}
		first();
		return true;
	}

	/// Whatever is on its way is not wanted any more.
	function leave() {
		asking?.abort();
		asking = new AbortController();
		growing = null;
	}

	async function first() {
		const controller = asking;
		hasFailed = false;
		const slow = setTimeout(busy, BUSY_MS, true);
		try {
			const { hits, ...about } = await page(0, controller.signal);
			const remarks = about.remarks ?? [];
			if (answer && answer.generation !== about.generation) kept.clear();
			answer = { ...about, remarks, hits, hasChanged: false, done: hits.length < PAGE || hits.length >= about.total };
			kept.set(question, answer);
			if (kept.size > KEPT) kept.delete(kept.keys().next().value);
			session.set("last", { key: question, answer });
			shown(answer, "new");
		} catch (error) {
			if (controller.signal.aborted) return;
			hasFailed = true;
			failed(error);
		} finally {
			clearTimeout(slow);
			if (asking === controller) busy(false);
		}
	}

	/// The next page of the answer that is shown.
	function more() {
		if (!answer || answer.done || growing || !kept.has(question)) return growing;
		growing = grow(answer, asking.signal).finally(() => (growing = null));
		return growing;
	}

	async function grow(to, signal) {
		try {
			const { hits, generation } = await page(to.hits.length, signal);
			const known = new Set(to.hits.map((hit) => hit.id));
			// Another generation may have moved what was shown already.
			to.hits.push(...hits.filter((hit) => !known.has(hit.id)));
			to.hasChanged ||= generation !== to.generation;
			to.done = hits.length < PAGE || to.hits.length >= to.total;
			if (to === answer) queueMicrotask(() => shown(to, "more"));
		} catch (error) {
			if (!signal.aborted) failed(error);
		}
	}

	return {
		ask,
		more,
		get answer() {
			return answer;
		},
		again() {
			kept.clear();
			leave();
			first();
		},
	};
}
