// Why a picture was found: its map, and the words underlined by what they add; a word under the pointer lights its parts.

import { button, el, replace } from "./dom.js";
import * as api from "./api.js";
import { t } from "./i18n.js";

/// What the map's colours stand for, who says so, and how far to believe it: R² of what was asked, and of what was left out.
function legend({ method, map, r2, r2_left_out: unseen, notes = [] }) {
	const fit = [r2, unseen].map((one) => one?.toFixed(2)).filter(Boolean).join(" / ");
	return [
		el("div", { class: "scale" }, Math.min(...map).toPrecision(2), el("i"), Math.max(...map).toPrecision(2)),
		el("p", { class: "quiet", text: [method, fit && `R² ${fit}`, ...notes].filter(Boolean).join(" · ") }),
	];
}

/// The map of the score that is shown: that of who looked again by hiding, else the faithful one, which knows what each word has to do
/// with each part, and at a button the fast one, to compare.
export function explanation(like, query, gallery, by, signal) {
	const view = el("div");
	const show = async (way) => {
		try {
			const answer = await api.post("/v1/explain", { like, query, pictures: true, ...way, ...(gallery && { gallery }) }, signal);
			const { picture, words } = answer;
			const image = el("img", { src: picture, alt: "" });
			const most = Math.max(...words.map(({ weight }) => Math.abs(weight)));
			replace(view, image, ...words.map(({ text: word, weight, picture: own = picture }) => {
				const [light, dark] = [own, picture].map((shown) => () => (image.src = shown));
				const one = el("span", { text: word, title: weight.toFixed(3), class: weight < 0 && "against", tabindex: 0, pointerenter: light, pointerleave: dark, focus: light, blur: dark });
				one.style.borderBottomWidth = `${(6 * Math.abs(weight)) / most}px`;
				return one;
			}), ...legend(answer));
		} catch (error) {
			// A line of which no word is wanted is no failure.
			if (!signal.aborted && error.status !== 400) view.append(el("p", { class: "notice", text: error.message }));
		}
	};
	show(by ? { score: by } : { method: "fixlip" });
	return el("div", { class: "map" }, view, !by && button("button", t("Fast map"), () => show()));
}
