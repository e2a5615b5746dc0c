//! A layer as an ONNX model in memory, for contenders that read models.
//!
//! ONNX is a protocol buffer; the few messages that one convolution needs are written by hand.
//! Field numbers and values are those of `onnx.proto3` in the ONNX repository.

use crate::contender::contract::{Case, Refusal};
use pointwise::{Activation, Layout, Padding};

/// The model's input.
pub(super) const INPUT: &str = "x";
/// The tensor that is added, where the layer has one: the model's second input.
pub(super) const RESIDUAL: &str = "r";
/// The model's output.
pub(super) const OUTPUT: &str = "y";

/// The version of the file format, and of the operators: of 2020, read by every runtime since.
const IR_VERSION: u64 = 7;
const OPERATORS: u64 = 13;
const FLOAT: u64 = 1;

/// The bytes of a model of one layer: a `Conv` with its weights and bias inside, an `Add` where it
/// has a residual, and a `Relu`, `Clip` or `LeakyRelu` where it has an activation.
///
/// # Errors
/// A layout or an activation that these operators don't have.
pub(super) fn model(case: &Case<'_>) -> Result<Vec<u8>, Refusal> {
    let layer = case.layer;
    if layer.layout != Layout::Nchw {
        return Err(Refusal::Unsupported("an ONNX Conv takes NCHW only".to_owned()));
    }
    let shape = layer.check().map_err(|e| Refusal::Failed(e.to_string()))?;
    let [top, bottom, left, right] = match layer.padding {
        Padding::Valid | Padding::Same => [0; 4],
        Padding::Explicit { top, bottom, left, right } => [top, bottom, left, right],
    };
    let mut graph = Message::default();

    let mut inputs = vec![INPUT, "w"];
    inputs.extend(case.bias.map(|_| "b"));
    let activation = operator(layer.activation)?;
    // The name of the last operator's output is that of the model.
    let (after_add, after_conv) = match (&activation, layer.residual) {
        (Some(_), true) => ("sum", "conv"),
        (Some(_), false) => ("", "conv"),
        (None, true) => (OUTPUT, "conv"),
        (None, false) => ("", OUTPUT),
    };
    let conv = Message::node("Conv", &inputs, after_conv)
        .message(5, &Message::ints("kernel_shape", &[1, 1]))
        .message(5, &Message::ints("strides", &layer.stride))
        .message(5, &Message::ints("pads", &[top, left, bottom, right]))
        .message(5, &Message::int("group", layer.groups));
    graph = graph.message(1, &conv);
    let mut last = after_conv;
    if layer.residual {
        graph = graph.message(1, &Message::node("Add", &[last, RESIDUAL], after_add));
        last = after_add;
    }
    let mut bounds = None;
    match activation {
        None => {}
        Some(Operator::Relu) => {
            graph = graph.message(1, &Message::node("Relu", &[last], OUTPUT));
        }
        Some(Operator::Clip(lo, hi)) => {
            graph = graph.message(1, &Message::node("Clip", &[last, "lo", "hi"], OUTPUT));
            bounds = Some((lo, hi));
        }
        Some(Operator::LeakyRelu(slope)) => {
            let node = Message::node("LeakyRelu", &[last], OUTPUT);
            graph = graph.message(1, &node.message(5, &Message::float("alpha", slope)));
        }
    }
    graph = graph.text(2, "layer");
    let filters = [layer.k, layer.c / layer.groups, 1, 1];
    graph = graph.message(5, &Message::tensor("w", &filters, case.weights));
    if let Some(bias) = case.bias {
        graph = graph.message(5, &Message::tensor("b", &[layer.k], bias));
    }
    if let Some((lo, hi)) = bounds {
        graph = graph.message(5, &Message::tensor("lo", &[], &[lo]));
        graph = graph.message(5, &Message::tensor("hi", &[], &[hi]));
    }
    let outputs = [layer.n, layer.k, shape.oh, shape.ow];
    graph = graph.message(11, &Message::value(INPUT, &[layer.n, layer.c, layer.h, layer.w]));
    if layer.residual {
        graph = graph.message(11, &Message::value(RESIDUAL, &outputs));
    }
    graph = graph.message(12, &Message::value(OUTPUT, &outputs));

    let operators = Message::default().number(2, OPERATORS);
    Ok(Message::default().number(1, IR_VERSION).message(7, &graph).message(8, &operators).0)
}

/// An activation as ONNX has it.
enum Operator {
    Relu,
    Clip(f32, f32),
    LeakyRelu(f32),
}

fn operator(activation: Activation) -> Result<Option<Operator>, Refusal> {
    Ok(match activation {
        Activation::None => None,
        Activation::Relu => Some(Operator::Relu),
        Activation::Relu6 => Some(Operator::Clip(0.0, 6.0)),
        Activation::Clamp { lo, hi } => Some(Operator::Clip(lo, hi)),
        Activation::LeakyRelu { slope } => Some(Operator::LeakyRelu(slope)),
        other => return Err(Refusal::Unsupported(format!("activation {other:?}"))),
    })
}

/// A message of a protocol buffer, field after field.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    /// A number of seven bits a byte, the lowest first.
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn number(mut self, field: u64, value: u64) -> Self {
        self.varint(field << 3);
        self.varint(value);
        self
    }

    fn bytes(mut self, field: u64, bytes: &[u8]) -> Self {
        self.varint(field << 3 | 2);
        self.varint(bytes.len() as u64);
        self.0.extend(bytes);
        self
    }

    fn text(self, field: u64, text: &str) -> Self {
        self.bytes(field, text.as_bytes())
    }

    fn message(self, field: u64, message: &Message) -> Self {
        self.bytes(field, &message.0)
    }

    /// `NodeProto`, without attributes.
    fn node(operator: &str, inputs: &[&str], output: &str) -> Self {
        let node = inputs.iter().fold(Message::default(), |node, input| node.text(1, input));
        node.text(2, output).text(3, operator).text(4, operator)
    }

    /// `AttributeProto` of integers.
    fn ints(name: &str, values: &[usize]) -> Self {
        let attribute = Message::default().text(1, name);
        let with = values.iter().fold(attribute, |all, value| all.number(8, *value as u64));
        with.number(20, 7)
    }

    /// `AttributeProto` of an integer.
    fn int(name: &str, value: usize) -> Self {
        Message::default().text(1, name).number(3, value as u64).number(20, 2)
    }

    /// `AttributeProto` of a number.
    fn float(name: &str, value: f32) -> Self {
        let mut attribute = Message::default().text(1, name);
        attribute.varint(2 << 3 | 5);
        attribute.0.extend(value.to_le_bytes());
        attribute.number(20, 1)
    }

    /// `TensorProto`.
    fn tensor(name: &str, sizes: &[usize], values: &[f32]) -> Self {
        let tensor = sizes.iter().fold(Message::default(), |t, size| t.number(1, *size as u64));
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        tensor.number(2, FLOAT).text(8, name).bytes(9, &bytes)
    }

    /// `ValueInfoProto` of a tensor.
    fn value(name: &str, sizes: &[usize]) -> Self {
        let shape = sizes.iter().fold(Message::default(), |shape, size| {
            shape.message(1, &Message::default().number(1, *size as u64))
        });
        let tensor = Message::default().number(1, FLOAT).message(2, &shape);
        Message::default().text(1, name).message(2, &Message::default().message(1, &tensor))
    }
}

/// The operators of a model, in its order, each with the last part of its domain's name unless the
/// domain is ONNX's own: `nchwc.Conv` is `Conv` of `com.microsoft.nchwc`.
pub(super) fn operators(model: &[u8]) -> Vec<String> {
    let graph = fields(model).find(|(field, _)| *field == 7).map(|(_, graph)| graph);
    let nodes = fields(graph.unwrap_or_default()).filter(|(field, _)| *field == 1);
    nodes
        .map(|(_, node)| {
            let text = |wanted| {
                let found = fields(node).find(|(field, _)| *field == wanted);
                String::from_utf8_lossy(found.unwrap_or_default().1).into_owned()
            };
            match (text(4), text(7)) {
                (operator, domain) if domain.is_empty() || domain == "ai.onnx" => operator,
                (operator, domain) => {
                    let last = domain.rsplit_once('.').map_or(&*domain, |(_, last)| last);
                    format!("{last}.{operator}")
                }
            }
        })
        .collect()
}

/// The fields of a message that are messages or texts, each with its bytes. Ends where it is none.
fn fields(mut rest: &[u8]) -> impl Iterator<Item = (u64, &[u8])> {
    std::iter::from_fn(move || {
        loop {
            let key = take_varint(&mut rest)?;
            let len = match key & 7 {
                0 => {
                    take_varint(&mut rest)?;
                    continue;
                }
                1 => 8,
                2 => usize::try_from(take_varint(&mut rest)?).ok()?,
                5 => 4,
                _ => return None,
            };
            let (bytes, others) = rest.split_at_checked(len)?;
            rest = others;
            if key & 7 == 2 {
                return Some((key >> 3, bytes));
            }
        }
    })
}

fn take_varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, others) = rest.split_first()?;
        *rest = others;
        value |= u64::from(byte & 0x7F) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Data, Fill};

    fn of(text: &str) -> Result<Vec<u8>, Refusal> {
        let data = Data::new(&text.parse().unwrap(), Fill::Random, 1).unwrap();
        model(&data.case(1, None))
    }

    #[test]
    fn the_epilogue_becomes_operators() {
        let operators = |text| operators(&of(text).unwrap());
        assert_eq!(operators("nchw/c3h4w5k2"), ["Conv"]);
        assert_eq!(operators("nchw/c3h4w5k2/bias+relu"), ["Conv", "Relu"]);
        assert_eq!(operators("nchw/c300h4w5k2/bias+residual"), ["Conv", "Add"]);
        assert_eq!(operators("nchw/c3h4w5k2/residual+relu6"), ["Conv", "Add", "Clip"]);
        assert_eq!(operators("nchw/c3h4w5k2/leaky=0.1"), ["Conv", "LeakyRelu"]);
    }

    #[test]
    fn what_onnx_does_not_have_is_refused() {
        for text in ["nhwc/c3h4w5k2", "nchw/c3h4w5k2/gelu"] {
            assert!(matches!(of(text), Err(Refusal::Unsupported(_))), "{text}");
        }
    }

    #[test]
    fn a_message_cut_short_is_read_as_far_as_it_goes() {
        let whole = of("nchw/c3h4w5k2/bias+relu").unwrap();
        for len in 0..whole.len() {
            assert!(operators(&whole[..len]).len() <= 2);
        }
    }
}
