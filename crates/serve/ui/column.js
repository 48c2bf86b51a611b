// One gallery's answer: what is said about it, and its grid. The page has one column, or two to compare.

import { $, button, el } from "./dom.js";
import { createAnswers } from "./answers.js";
import { createGrid } from "./grid.js";
import { count, t } from "./i18n.js";
import { change, current, hasQuery, isMixed, toAddress, whereOf } from "./state.js";

/// What the server is asked for a state: a search, or a list where nothing is searched.
function question(state, gallery) {
	if (state.removed) return { listing: true, removed: true, gallery };
	const where = whereOf(state);
	const common = {
		where: where || undefined,
		kind: state.kind,
		gallery: gallery || undefined,
		sort: state.sort === "date" ? "date" : undefined,
	};
	if (!hasQuery(state)) return { ...common, listing: true };
	return {
		...common,
		query: state.q.trim() || undefined,
		image: state.image ? `picture:${state.image.key}` : undefined,
		like: state.like ?? undefined,
		image_weight: isMixed(state) ? state.weight : undefined,
		words: state.words,
		rerank: looksAgain(state) ? "late:100" : undefined,
		// What is folded into another hit has no place to compare.
		fold: (!state.versus && state.fold === "on" && !$("#folding").hidden) || undefined,
		// By date, the server has to know what is good enough to be listed at all.
		threshold: (common.sort && state.min) || undefined,
	};
}

/// Words look at pictures again, whatever else is asked; not in the order of dates.
const looksAgain = ({ again, q, kind, sort }) => again === "on" && q.trim() && kind === "image" && sort !== "date";

/// A hit's cosine: what was looked at again has another score, which no threshold knows.
const cosine = (hit) => hit.reranked?.score_before ?? hit.score;

const best = (answer) => answer.hits.reduce((most, hit) => Math.max(most, cosine(hit) ?? 0), 0);

/// `opened(hit)` are the changes of the state that open a hit; `shown(told)` is called after an answer is shown.
export function createColumn(name, { opened, open, leave, failed, shown, marks }) {
	const title = el("h2", { class: "versus" });
	const sum = el("p", { class: "versus", role: "status" });
	const remarks = el("div", { class: "remarks", role: "status" });
	const empty = el("div", { class: "message", role: "status" });
	const list = el("ul", { class: "grid" });
	const foot = el("p", { class: "quiet foot" });
	const root = el("section", { class: "column" }, title, sum, remarks, empty, list);
	const answers = createAnswers(name, {
		busy: (isBusy) => (root.ariaBusy = isBusy),
		shown: (_, how) => view(how),
		failed,
	});
	const grid = createGrid(list, {
		open,
		more: () => answers.more(),
		leave,
		address: (hit) => toAddress({ ...current(), ...opened(hit) }),
		marks,
	});
	root.append(foot);
	let min = 0; // the threshold that is shown

	/// Shows the hits that reach the threshold.
	function view(how, state = current()) {
		const { answer } = answers;
		if (!answer) return;
		min = state.min;
		notices(answer, state);
		list.ariaLabel = t("Results");
		const isScored = min > 0 && answer.hits[0]?.score !== undefined;
		const hits = isScored ? answer.hits.filter((hit) => cosine(hit) >= min) : answer.hits;
		// In the order of scores nothing that is still to come can reach it.
		const isOrdered = state.sort === "relevance" && !answer.hits[0]?.reranked;
		const done = answer.done || (isScored && isOrdered && hits.length < answer.hits.length);
		grid.show(hits, done, how === "more");
		nothing(state, hits.length === 0 && done, answer);
		const within = answer.within && t(state.sort === "date" ? "the best {first} of {of}" : "the first {first} of {of}", { first: count(answer.within.first), of: count(answer.within.of) });
		foot.replaceChildren(...(within && done && hits.length ? [t("The list ends here: {within}.", { within }), " ", ...end(state)] : []));
		const n = count(hits.length) + (done ? "" : "+");
		const counted = isScored
			? t("{n} of {total} score {min} or more", { n, total: count(answer.total), min: min.toFixed(2) })
			: t(answer.total === 1 ? "{n} item" : "{n} items", { n: count(answer.total) });
		shown({ how, answer, best: best(answer), min, counted: [counted, within].filter(Boolean).join(" · ") });
	}

	/// Why a list ends before all hits, and the way on.
	function end({ sort, versus, fold }) {
		const [why, way, changes] =
			sort === "date" ? [t("By date only what matches best is listed."), t("Best first"), { sort: "relevance" }]
			: fold === "on" && !versus ? [t("Near-duplicates are folded among the best alone."), t("Go on without"), { fold: "off" }]
			: [t("Wording counts among the best alone."), t("Go on without"), { words: "off" }];
		return [why, " ", button("link", way, () => change(changes))];
	}

	function notices(answer, state) {
		// The best guesses are still shown, but not as if they were what was asked for.
		// What is written in captions or names does match, whatever pictures' scores say.
		const unsure = !answer.hits.some(({ why }) => why?.words?.length) && "Perhaps nothing here matches.";
		const doubt = hasQuery(state) && answer.hits.length && { none: "Nothing here matches.", unsure }[answer.match];
		const order = state.sort === "date" ? "The newest of what comes nearest stands first." : "These come nearest.";
		// Where the list ends is said beside the count, in the page's language.
		const told = answer.remarks.filter((text) => !text.includes(` ${answer.within?.of} `));
		const all = [doubt && `${t(doubt)} ${t(order)}`, ...told].filter(Boolean).map((text) => el("p", { class: "notice", text }));
		if (answer.hasChanged) all.push(el("p", { class: "notice" }, t("The gallery has changed."), " ", button("link", t("Reload"), answers.again)));
		remarks.replaceChildren(...all);
	}

	function nothing(state, isEmpty, answer) {
		empty.hidden = !isEmpty;
		if (!isEmpty) return;
		const say = (title, text, way, changes) => empty.replaceChildren(el("h2", { text: t(title) }), el("p", { text }),
			...(way ? [button("button primary", t(way), () => change(changes))] : []));
		const none = "Nothing matches";
		if (answer.hits.length) {
			const text = t("No score reaches {min}; the best is {best}.", { min: min.toFixed(2), best: best(answer).toFixed(3) });
			say(none, text, "Show the best anyway", { min: 0 });
		} else if (answer.within) say(none, "", "Show the best anyway", { sort: "relevance" });
		else if (state.filters.length) say(none, t("Nothing passes these filters."), "Clear the filters", { filters: [] });
		else if (hasQuery(state) || state.removed) say(none, "");
		else say("This gallery is empty", t("Add a folder of pictures: tuwen index FOLDER"));
	}

	return {
		root,
		title,
		sum,
		isStale: false, // whether it shows another query's answer and was not asked yet
		answers,
		grid,
		view,
		show(state, gallery) {
			this.isStale = false;
			const isAsked = answers.ask(question(state, gallery));
			if (!isAsked && state.min !== min) view("same");
		},
	};
}
