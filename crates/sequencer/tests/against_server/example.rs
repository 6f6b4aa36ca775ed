//! The example of the book does what it says.

#[path = "../../examples/invoice_numbers.rs"]
#[expect(dead_code, reason = "the example's own main is not called here")]
mod invoice_numbers;

#[tokio::test]
async fn the_example_numbers_invoices_without_gaps() {
    invoice_numbers::number_invoices().await.expect("the example");
}
