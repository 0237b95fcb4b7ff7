// SPDX-License-Identifier: BSD-2-Clause
// Pulls in whole libraries, from their separate source files, so that the bundler has several hundred files to read.
import * as d3 from "d3";
import * as lodash from "lodash-es";
import * as React from "react";
import * as ReactDom from "react-dom";
import * as ReactDomClient from "react-dom/client";
import * as three from "three/src/Three.js";

console.log(Object.keys(three).length, Object.keys(lodash).length, Object.keys(d3).length, React.version,
            ReactDom.version, Object.keys(ReactDomClient));
globalThis.libraries = { d3, lodash, React, ReactDom, ReactDomClient, three };
