// Answers of the server: to the newest question only, page by page. Recent ones are kept, so that going back is instant.

import * as api from "./api.js";
import { session } from "./dom.js";
import { asking as about } from "./picture.js";

const PAGE = 60;
const KEPT = 20;
const BUSY_MS = 250;

/// Calls `shown(answer, how)` with how "new", "back", "more" or "same"; the session keeps the last answer as `name`.
export function createAnswers(name, { busy, shown, failed }) {
	const kept = new Map(); // by question
	let question = null;
	let body = null;
	let answer = null;
	let asking = null;
	let growing = null;
	let hasFailed = false;
	let isAsking = false;

	function page(offset) {
		const { listing, ...asked } = body;
		const at = { ...asked, k: PAGE, offset };
		const { signal } = asking;
		const ask = () => (listing ? api.get("/v1/items", at, signal) : api.post("/v1/search", at, signal));
		return about(body.image?.slice(8), ask); // without its `picture:`
	}

	/// Asks unless this is what is shown already, and tells whether it did.
	function ask(next) {
		const key = JSON.stringify(next);
		if (key === question && !hasFailed) return false;
		[question, body] = [key, next];
		const last = answer ? null : session.get(name);
		if (kept.has(key)) {
			leave();
			answer = kept.get(key);
			shown(answer, "back");
			return true;
		}
		if (last?.key === key) {
			// A reload: what was shown stands there again while the server is asked.
			answer = { ...last.answer, done: true };
			shown(answer, "new");
		}
		first();
		return true;
	}

	function leave() {
		asking?.abort();
		asking = new AbortController();
		growing = null;
		hasFailed = isAsking = false;
		busy(false);
	}

	async function first() {
		leave();
		isAsking = true;
		const { signal } = asking;
		const slow = setTimeout(busy, BUSY_MS, true);
		try {
			const { hits, ...about } = await page(0);
			isAsking = false;
			if (answer?.generation !== about.generation) kept.clear();
			answer = { ...about, remarks: about.remarks ?? [], hits, read: hits.length };
			answer.done = isLast(answer, hits);
			kept.set(question, answer);
			if (kept.size > KEPT) kept.delete(kept.keys().next().value);
			session.set(name, { key: question, answer });
			shown(answer, "new");
		} catch (error) {
			if (signal.aborted) return;
			hasFailed = true;
			isAsking = false;
			failed(error);
		} finally {
			clearTimeout(slow);
			if (!signal.aborted) busy(false);
		}
	}

	const isLast = ({ read, total }, hits) => !hits.length || read >= total;

	function more() {
		if (answer && !answer.done && kept.has(question)) growing ??= grow(answer, asking.signal);
		return growing;
	}

	async function grow(to, signal) {
		try {
			const { hits, generation } = await page(to.read);
			const known = new Set(to.hits.map(({ id }) => id));
			// Another generation may have moved what was shown already.
			to.hits.push(...hits.filter(({ id }) => !known.has(id)));
			to.read += hits.length;
			to.hasChanged ||= generation !== to.generation;
			to.done = isLast(to, hits);
			growing = null;
			shown(to, "more");
		} catch (error) {
			if (signal.aborted) return;
			growing = null;
			failed(error);
		}
	}

	return {
		ask,
		more,
		get answer() {
			return answer;
		},
		/// Whether the answer is that to the newest question.
		get isSettled() {
			return Boolean(answer) && !isAsking && !hasFailed;
		},
		again() {
			kept.clear();
			first();
		},
		/// Items that are no longer there, without asking again.
		without(ids) {
			const hits = answer.hits.filter(({ id }) => !ids.has(id));
			const gone = answer.hits.length - hits.length;
			answer = { ...answer, hits, total: answer.total - gone, read: answer.read - gone };
			kept.clear();
			kept.set(question, answer);
			shown(answer, "same");
		},
	};
}
