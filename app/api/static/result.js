// An answer, drawn: numbers, scale, maps over the tissue, remarks, where it comes from.

const LARGEST_PERCENT = 40;
const sources = { sender: "chosen by the sender", attribute: "from DICOM", screen: "from the screen" };
const byId = (id) => document.getElementById(id);
const at = (percent) => `${(100 * Math.min(Math.max(percent, 0), LARGEST_PERCENT)) / LARGEST_PERCENT}%`;
for (const mark of document.querySelectorAll(".mark")) mark.style.left = at(Number(mark.dataset.percent));

for (const radio of document.querySelectorAll("input[name=target]")) radio.addEventListener("change", drawMaps);
byId("opacity").addEventListener("input", fade);

/** Show one analysis as POST /v1/analyses answers it. */
export function showResult(analysis, viewNames) {
  const { estimate } = analysis, pdff = estimate.pdff_percent.toFixed(1);
  byId("pdff").textContent = pdff;
  byId("basis").textContent = analysis.complete ? "mean of the four views" : `mean of ${analysis.views.length} of 4 views`;
  byId("needle").style.left = at(estimate.pdff_percent);
  byId("scale").setAttribute("aria-label", `PDFF ${pdff} % on a scale from 0 to ${LARGEST_PERCENT} %, with marks at 5 and 10 %`);
  for (const cut of ["5", "10"]) {
    byId(`ge${cut}`).textContent = estimate[`probability_ge${cut}`].toFixed(2);
    byId(`threshold${cut}`).textContent = estimate[`threshold_ge${cut}`].toFixed(2);
    byId(`call${cut}`).textContent = estimate[`steatosis_ge${cut}`] ? `≥ ${cut} %` : `below ${cut} %`;
  }
  byId("maps").replaceChildren(...analysis.views.map((view) => figure(view, viewNames[view.view])));
  const remarks = [byId("remarks").dataset.limits, ...analysis.warnings.map((each) => each.detail)];
  for (const view of analysis.views) remarks.push(...view.warnings.map((each) => `${viewNames[view.view]}: ${each.detail}`));
  byId("remarks").replaceChildren(...remarks.map((text) => element("li", { textContent: text })));
  byId("links").replaceChildren(...links(analysis));
  byId("provenance").replaceChildren(...provenance(analysis));
  byId("result").hidden = false;
  drawMaps();
  byId("result").focus();
}

function figure(view, name) {
  const stack = element("a", { className: "stack", target: "_blank", title: "Open at full size, with its scale" });
  stack.append(element("img", { className: "tissue", src: view.tissue_url, alt: `Tissue, ${name}` }));
  const map = element("img", { className: "map", alt: `Class activation map, ${name}` });
  map.dataset.url = view.overlay_url;
  stack.append(map);
  const caption = element("figcaption", {});
  caption.append(element("strong", { textContent: name }));
  if (view.view_source) caption.append(element("span", { className: "source", textContent: sources[view.view_source] }));
  caption.append(`${view.pdff_percent.toFixed(1)} % · ≥ 5 %: ${view.probability_ge5.toFixed(2)} · ≥ 10 %: ${view.probability_ge10.toFixed(2)}`);
  const whole = element("figure", {});
  whole.append(stack, caption);
  return whole;
}

function drawMaps() {
  const target = document.querySelector("input[name=target]:checked").value;
  for (const map of document.querySelectorAll(".map")) map.src = map.parentElement.href = `${map.dataset.url}?target=${target}`;
  fade();
}

function fade() {
  const percent = byId("opacity").value;
  byId("opacity-value").textContent = `${percent} %`;
  for (const map of document.querySelectorAll(".map")) map.style.opacity = percent / 100;
}

function links(analysis) {
  const base = `${document.body.dataset.rootPath}/v1/analyses/${analysis.id}`;
  const found = [["Report to print", `${base}/report`], ["PDF", `${base}/report.pdf`], ["JSON", base], ["FHIR", analysis.fhir_url]];
  if (analysis.dicom_urls.length) found.push(["DICOM structured report", analysis.dicom_urls[0]]);
  return found.map(([text, href]) => element("a", { textContent: text, href }));
}

function provenance(analysis) {
  const { bundle } = analysis;
  const rows = [
    ["Analysis", analysis.id],
    ["Study Instance UID", analysis.study_instance_uid],
    ["Bundle", `${bundle.name} ${bundle.version} (${bundle.precision}${bundle.synthetic ? ", synthetic" : ""}) · ${bundle.sha256}`],
  ];
  return rows.flatMap(([term, text]) => [element("dt", { textContent: term }), element("dd", { textContent: text })]);
}

const element = (name, properties) => Object.assign(document.createElement(name), properties);
